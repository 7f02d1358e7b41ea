-- A batch leaves out the users on do-not-mail lists, and those who match a saved filter.

create table do_not_mail_lists (
    id uuid primary key default uuid_v7(),
    name text not null,
    -- Names differ in more than their capital letters.
    name_key text not null unique,
    -- Whether every batch leaves out the users on it.
    always boolean not null default false,
    created_at timestamptz not null default now(),
    created_by text not null
);

-- The digest of an address by which lists match it. Takes the key of the address, as in `users.email_key`.
create function address_digest(email_key text) returns bytea
language sql stable parallel safe
as $$
    select sha256(convert_to(email_key, 'UTF8'))
$$;

create table do_not_mail_addresses (
    list_id uuid not null references do_not_mail_lists on delete cascade,
    digest bytea not null,
    -- As typed. Null once the user with this address is erased: the list still keeps email from the address.
    email text,
    primary key (digest, list_id)
);
create index do_not_mail_addresses_list on do_not_mail_addresses (list_id, email);

-- The lists and filters that a batch left out, with their names at that time.
alter table batches add column excluded jsonb;

alter table selections
    add column excluded_filters uuid[] not null default '{}',
    add column excluded_lists uuid[] not null default '{}';
