-- A batch has a moment by which its mails are promised to the relay, so that late is a fact and not a
-- feeling: a hundred thousand mails that wait half an hour for a relay of fifty a second are on time.

-- Null for batches of an API that does not know of deadlines yet: those are never late.
alter table batches add column deadline_at timestamptz;
-- Since when it is paused: that time is not ours, and the deadline moves by it at the resume.
alter table batches add column paused_at timestamptz;
