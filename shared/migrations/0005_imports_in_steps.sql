-- A person can see what is wrong in a file before any of it is stored, and take an import back.

create type import_state as enum ('checking', 'checked', 'storing', 'done', 'unreadable', 'discarded', 'undone');

alter table imports
    add column state import_state not null,
    -- Names the form that the file was uploaded with, so that sending the form twice is one import,
    add column form_token uuid unique,
    -- unless it came with another file the second time.
    add column digest bytea,
    -- Counts the beginnings of work on it. Whoever works under an older number has lost it.
    add column run integer not null default 0,
    -- Rows the work in hand has gone through, and when it last said so.
    add column progress_rows integer not null default 0,
    add column progress_at timestamptz not null default now(),
    -- Why nothing of the file can be read, or why the work in hand came to no end: code and message.
    add column trouble jsonb,
    -- How many rows have which problem in which field.
    add column problem_counts jsonb not null default '[]',
    -- When and by whom it was stored,
    add column done_at timestamptz,
    add column done_by text,
    -- and discarded or undone; none if it was discarded for its age.
    add column ended_at timestamptz,
    add column ended_by text,
    -- Users that undoing it removed.
    add column removed_count integer not null default 0,
    add constraint imports_done check ((state in ('done', 'undone')) = (done_at is not null and done_by is not null)),
    add constraint imports_ended check ((state in ('discarded', 'undone')) = (ended_at is not null));
-- What the sweep for forgotten files looks at.
create index imports_open on imports (created_at) where state in ('checking', 'checked', 'storing', 'unreadable');

-- An uploaded file until it is stored or discarded, so that any process can go on with it: in parts,
-- because a whole one would have to fit into memory. It is compressed already or too short to gain.
create table import_parts (
    import_id uuid not null references imports on delete cascade,
    n integer not null,
    bytes bytea not null,
    primary key (import_id, n)
);
alter table import_parts alter column bytes set storage external;
