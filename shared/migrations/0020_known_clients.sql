-- A client that has signed in for a person is told from strangers who guess at that person's password.

-- The clients of a platform, such as its device cookies, by person.
create table known_clients (
    user_id uuid not null references users (id) on delete cascade,
    -- SHA-256 of what the platform calls the client.
    digest bytea not null,
    -- When a sign-in last succeeded there, to the day.
    seen_at timestamptz not null default now(),
    primary key (user_id, digest)
);

-- The browsers of the console, by administrator.
create table known_devices (
    administrator_id uuid not null references administrators (id) on delete cascade,
    -- SHA-256 of the device cookie.
    digest bytea not null,
    seen_at timestamptz not null default now(),
    primary key (administrator_id, digest)
);
