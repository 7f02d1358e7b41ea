-- A user can be locked, and a password mail can be cancelled while a worker has it in hand.

-- Since when the user can neither sign in nor be sent a password; null while they can.
alter table users add column locked_at timestamptz;
-- Set while a worker has the mail in hand: no verifier is stored for it from then on, there is no
-- further attempt, and this becomes its reason unless the mail server had taken it already.
alter table deliveries add column cancel_reason text;
