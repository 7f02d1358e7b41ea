-- It can be told who let whom in, and the audit log can be asked who did what and when.

-- Who made a key.
alter table api_keys add column created_by text not null default 'the command line';

-- When Beckon made the password that its owner is to replace: it works for some days.
alter table administrators add column password_made_at timestamptz;
alter table administrators add check (not must_choose or password_made_at is not null);
-- The audit log and the batches know people by their names.
create unique index administrators_name on administrators (lower(name));

create index audit_who on audit (who, id);
create index audit_at on audit (at);
