-- The promotion of a standby of Postgres is noticed, and sending can be held after it until a person resumes.

-- The timeline on which this server writes; each promotion and each recovery to a point in time begins another. Null on
-- a standby.
create function current_timeline() returns integer
language sql stable parallel safe
return case
    when not pg_is_in_recovery()
    then ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer
end;

-- Where the dispatcher last found the database. One row, made by the first look.
create table database_history (
    is_only boolean primary key default true check (is_only),
    -- The cluster's identifier and its timeline.
    cluster bigint not null,
    timeline integer not null,
    -- When either was last found changed.
    changed_at timestamptz,
    -- Sending is held since then, until a person resumes.
    held_at timestamptz
);

-- Whether emails may be published and claimed. Not between a promotion and the dispatcher's next look, because what was
-- sent last may be missing here and would be sent again.
create function sending_is_open() returns boolean
language sql stable parallel safe
return not exists (
    select from database_history where held_at is not null or timeline is distinct from current_timeline());
