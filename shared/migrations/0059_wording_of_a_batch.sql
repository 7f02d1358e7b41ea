-- A batch can have wording of its own.

-- Wording for one batch is a version with a negative number, which is never the one in use. So every release sends a
-- batch with the text it was accepted with.
alter table system_email_versions
    -- The version that the wording was written from; null for versions of the shared text.
    add column based_on integer;

-- The wording that an administrator has written for the batch of a selection.
alter table selections add column wording jsonb;
