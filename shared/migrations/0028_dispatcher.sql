-- The dispatcher's turn becomes a row, so that a process that is frozen or cut off is replaced within seconds.

-- One row, made by the first process that asks. A process that holds the turn renews `seen_at`; another takes it over with the next epoch once `seen_at` is
-- old. Statements of the dispatcher name their epoch and change nothing when it is over.
create table dispatcher (
    is_only boolean primary key default true check (is_only),
    epoch bigint not null default 0,
    -- The process that holds the turn, for people.
    holder text not null default '',
    seen_at timestamptz not null default '-infinity'
);
