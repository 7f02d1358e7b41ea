-- People can be imported, and the platform can check the passwords they were given.

-- A UUID that sorts by the time it was made, to the microsecond (RFC 9562, version 7 with method 3
-- of 6.2): rows that are written together lie together and in their order, and an index on the id
-- is filled from one end. The clock is read twice, because a function that reads it once cannot
-- be inlined and takes twice as long; so now and then two ids less than a millisecond apart change
-- places.
create function uuid_v7() returns uuid
language sql volatile parallel safe
as $$
    select encode(
        overlay(
            uuid_send(gen_random_uuid())
            placing int8send(
                (floor(extract(epoch from clock_timestamp()) * 1000)::bigint << 16)
                | 28672 -- version 7
                | (extract(microseconds from clock_timestamp())::bigint % 1000 * 4096 / 1000))
            from 1 for 8),
        'hex')::uuid
$$;

-- The first of all ids made at a moment, for finding rows by when they were made.
create function uuid_v7_from(moment timestamptz) returns uuid
language sql immutable parallel safe
as $$
    select encode(
        int8send(
            (floor(extract(epoch from moment) * 1000)::bigint << 16)
            | 28672) -- version 7
        || '\x8000000000000000'::bytea, -- RFC 9562's variant
        'hex')::uuid
$$;

create table imports (
    id uuid primary key default uuid_v7(),
    file_name text not null,
    created_at timestamptz not null default now(),
    created_by text not null,
    -- The header row and the separator as they were written, for the file of rows to mend.
    header text[] not null default '{}',
    separator text not null default ',' check (length(separator) = 1),
    row_count integer not null default 0,
    created_count integer not null default 0,
    updated_count integer not null default 0,
    unchanged_count integer not null default 0,
    rejected_count integer not null default 0,
    blank_count integer not null default 0
);

create table users (
    id uuid primary key default uuid_v7(),
    -- As typed, trimmed; what people see.
    email text not null,
    -- Who this is: ASCII-lowercased local part, domain in A-label form (RFC 5890).
    email_key text not null unique,
    first_name text not null default '',
    last_name text not null default '',
    language text not null default '',
    fields jsonb not null default '{}',
    -- The first time a password was verified for this person; null until then.
    signed_in_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- The custom merge fields that exist, for checking a system email when it is saved.
create table merge_fields (
    name text primary key
);

-- What a row of a file did to its person.
create type import_effect as enum ('created', 'updated', 'unchanged');

-- Which rows of a file became which users, also to notice the same person twice in one file.
-- Without foreign keys, which would take half the time of an import: imports.rs writes it in the
-- transaction of its users, and deleting a user deletes their rows.
create table import_users (
    import_id uuid not null,
    user_id uuid not null,
    row_number integer not null,
    effect import_effect not null,
    primary key (import_id, user_id)
);
create index import_users_user on import_users (user_id);

-- Rows that were not taken, as written, with what is wrong in them.
create table import_rejects (
    import_id uuid not null references imports on delete cascade,
    row_number integer not null,
    cells text[] not null,
    problems jsonb not null,
    primary key (import_id, row_number)
);

-- What a password is checked against; never the password.
create table credentials (
    id uuid primary key default uuid_v7(),
    user_id uuid not null references users on delete cascade,
    -- 'generated' by Beckon and mailed, or 'chosen' by the person.
    kind text not null check (kind in ('generated', 'chosen')),
    verifier text not null,
    -- The attempt whose mail carries the password; null for a chosen one.
    delivery_id uuid,
    attempt integer,
    batch_id uuid,
    created_at timestamptz not null default now(),
    -- A chosen password does not expire.
    expires_at timestamptz,
    used_at timestamptz,
    check ((kind = 'generated') = (delivery_id is not null and attempt is not null and expires_at is not null))
);
create index credentials_user on credentials (user_id);
create unique index credentials_chosen on credentials (user_id) where kind = 'chosen';
create unique index credentials_attempt on credentials (delivery_id, attempt) where kind = 'generated';
create index credentials_batch on credentials (batch_id) where kind = 'generated';

create table api_keys (
    id uuid primary key default uuid_v7(),
    name text not null,
    -- SHA-256 of the key; 256 random bits need no slow hash (ASVS 5.0, 6.5.2).
    digest bytea not null unique,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);

-- A request that came before: the same key with the same content gets the same answer.
create table idempotency_keys (
    caller text not null,
    key text not null,
    digest bytea not null,
    status smallint not null,
    answer jsonb not null,
    created_at timestamptz not null default now(),
    primary key (caller, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
