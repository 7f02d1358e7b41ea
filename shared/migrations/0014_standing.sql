-- Our standing with mail servers is kept: an address that does not exist gets no second mail, and a
-- batch that fails too often pauses itself.

-- Addresses a relay has called unknown, until somebody unblocks them.
create table blocked_addresses (
    -- Whose it is: an address as identity, like users.email_key. Somebody whose address is corrected
    -- has another one.
    email_key text primary key,
    -- For turning pages, the newest first.
    id uuid not null unique default uuid_v7(),
    -- As typed; what people see.
    email text not null,
    blocked_at timestamptz not null default now(),
    -- Why: the class of the trouble, and what the relay said.
    reason text not null,
    code smallint,
    enhanced_code text,
    reply text,
    -- Which mail that was, and whose. Its details may be gone, and so may the person.
    delivery_id uuid not null,
    user_id uuid not null
);
create index blocked_addresses_user on blocked_addresses (user_id);

-- Why a batch has paused itself: one word; null while it has not. `reason` has the words for people.
alter table batches add column brake text;
-- When it last went on after a pause: what went wrong before that, somebody has seen.
alter table batches add column resumed_at timestamptz;

-- How many mails of a batch failed since a moment for what reason, without reading the batch.
create index deliveries_failures on deliveries (batch_id, reason, moved_at) where state = 'failed';
