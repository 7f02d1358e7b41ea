-- An administrator chooses people page by page, and the mail goes to exactly those they saw.

create table selections (
    id uuid primary key default uuid_v7(),
    administrator_id uuid not null references administrators on delete cascade,
    created_at timestamptz not null default now(),
    kind mail_kind,
    -- Everybody who matches this, as the page's address has it, but for those taken out again; null
    -- while nobody is chosen but those ticked one by one. How many matched when it was chosen.
    filter jsonb,
    matching integer not null default 0,
    dropped uuid[] not null default '{}',
    picked uuid[] not null default '{}',
    -- Who that is, by id, from the moment the choice was made: nobody joins unseen afterwards.
    chosen uuid[],
    -- The mail that was sent to them.
    batch_id uuid
);
create index selections_batch on selections (batch_id) where batch_id is not null;
-- Ids are random at their ends, so squeezing them costs time and saves no room.
alter table selections alter column chosen set storage external;

-- Whose mail failed, for finding them again: few, and written once each.
create index deliveries_failed on deliveries (user_id, id) where state in ('failed', 'expired');
