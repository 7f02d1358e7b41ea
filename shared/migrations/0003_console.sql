-- Administrators sign in to the console, and what they do is on record.

create table administrators (
    id uuid primary key default uuid_v7(),
    -- As typed, and as identity, like a user's.
    email text not null,
    email_key text not null unique,
    name text not null,
    verifier text not null,
    -- The password was made by Beckon and handed over: the console asks for their own first.
    must_choose boolean not null,
    created_at timestamptz not null default now(),
    created_by text not null,
    signed_in_at timestamptz,
    -- Kept, because the audit log and the batches name them.
    disabled_at timestamptz
);

create table sessions (
    -- SHA-256 of the cookie's token; 256 random bits need no slow hash (ASVS 5.0, 6.5.2).
    digest bytea primary key,
    administrator_id uuid not null references administrators on delete cascade,
    created_at timestamptz not null default now(),
    -- To the minute.
    seen_at timestamptz not null default now()
);
create index sessions_administrator on sessions (administrator_id);

create table audit (
    id uuid primary key default uuid_v7(),
    at timestamptz not null default now(),
    -- The name of an administrator or `key <name>`, as it was then.
    who text not null,
    -- What was done, as a word.
    action text not null,
    -- To what: the kind and id of a thing, where there is one.
    subject text,
    -- Counts and ids; never an address of a recipient, a text or a secret.
    details jsonb not null default '{}'
);
create index audit_action on audit (action, id);

-- What is on record stays, whoever asks: also a program with our own database password.
create function audit_stays() returns trigger
language plpgsql
as $$
begin
    raise exception 'the audit log is only ever added to';
end
$$;
create trigger audit_stays before update or delete or truncate on audit
    for each statement execute function audit_stays();
