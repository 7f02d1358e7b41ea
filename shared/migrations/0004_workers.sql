-- A worker says how it is, so that a page can say why mail waits.

create type worker_trouble as enum (
    'relay_unreachable', 'relay_silent', 'relay_hangs_up', 'relay_not_private', 'relay_refuses_login',
    'relay_refuses_sender', 'relay_asks_to_wait', 'relay_turns_away', 'relay_unreadable', 'broker_away');

create table workers (
    -- Machine and process, as in attempts.
    name text primary key,
    started_at timestamptz not null default now(),
    -- Written every few seconds; a worker that was killed is known by its silence.
    seen_at timestamptz not null default now(),
    -- Said at an orderly end. The row stays for a while, because of the last worker one wants to know
    -- when it left.
    stopped_at timestamptz,
    -- Why it takes no mails, and since when; null while it does.
    trouble worker_trouble,
    trouble_since timestamptz,
    -- The relay's or the line's own words, where they can name nobody.
    trouble_told text,
    check ((trouble is null) = (trouble_since is null)),
    check (trouble is not null or trouble_told is null)
);

-- One row: when the dispatcher last came to the end of a round, whichever process that was in.
create table dispatching (
    is_the_one boolean primary key default true check (is_the_one),
    seen_at timestamptz not null
);

-- One row: when a worker last recorded a beat, which goes the way of the jobs.
create table heartbeat (
    is_the_one boolean primary key default true check (is_the_one),
    recorded_at timestamptz not null
);
