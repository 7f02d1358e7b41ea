-- Every mail owed to a person has a row, from the decision to send it to what became of it.

create type mail_kind as enum ('invite', 'password_reset');
create type lane as enum ('interactive', 'bulk');
create type batch_state as enum ('held', 'running', 'paused', 'stopped', 'finished');
create type delivery_state as enum (
    'waiting', 'queued', 'sending', 'retrying',
    'sent', 'failed', 'suppressed', 'cancelled', 'expired');

create table system_email_versions (
    kind mail_kind not null,
    version integer not null,
    subject text not null,
    body text not null,
    created_at timestamptz not null default now(),
    created_by text not null,
    primary key (kind, version)
);

create table batches (
    id uuid primary key default uuid_v7(),
    kind mail_kind not null,
    version integer not null,
    lane lane not null,
    state batch_state not null,
    -- A test mail goes to an address an administrator names and changes nobody's password.
    is_test boolean not null default false,
    created_at timestamptz not null default now(),
    created_by text not null,
    -- Nothing leaves before this; the end of the hold, or a chosen moment.
    start_at timestamptz not null,
    -- Past this, a mail not yet tried is of no use any more; null when it always is.
    stale_at timestamptz,
    -- When the last of its deliveries ended, and how many ended how and why: counted once, because
    -- a page of batches must not count millions of rows. An array of objects with state, reason,
    -- count and unsure.
    finished_at timestamptz,
    final_counts jsonb,
    selected_count integer not null,
    accepted_count integer not null,
    -- Why it is paused or stopped, in words for the page.
    reason text,
    -- W3C trace id of the request, carried to the relay's answer.
    trace_id text not null,
    foreign key (kind, version) references system_email_versions (kind, version),
    check ((finished_at is null) = (final_counts is null)),
    check (state <> 'finished' or finished_at is not null)
);
create index batches_open on batches (lane, id) where finished_at is null;

-- Who was chosen and got no delivery, and why; with the deliveries this is everybody selected.
create table left_out (
    id bigint generated always as identity primary key,
    batch_id uuid not null references batches on delete cascade,
    user_id uuid,
    -- What was given, where it is nobody we know.
    given text,
    reason text not null
);
create index left_out_batch on left_out (batch_id);

-- No foreign keys here and in attempts: checking one costs a row lock for each of a hundred
-- thousand rows. store/ is the only writer, and a delivery whose user is gone is cancelled when
-- it is claimed.
-- Deliveries and their attempts lie in months, by the delivery's id, which says when it was made: the
-- months that are worked on stay small however long the history is, and details that are not kept
-- any longer go as a whole. 0013_months.sql makes and drops the months.
create table deliveries (
    id uuid primary key default uuid_v7(),
    batch_id uuid not null,
    -- Null for a test mail.
    user_id uuid,
    test_address text,
    state delivery_state not null default 'waiting',
    -- Why it is where it is: the class of the last trouble, or what ended it.
    reason text,
    -- How many attempts have begun.
    attempt integer not null default 0,
    -- When to publish it next, though never before its batch starts; meaningful while waiting or
    -- retrying.
    due_at timestamptz not null,
    -- Until when the queue (queued) or a worker (sending) may keep it.
    lease_until timestamptz,
    lease_token uuid,
    -- Past this there is no further attempt; set by the first claim, and kept when it is given back.
    give_up_at timestamptz,
    -- Some attempt ended without the relay's answer: the person may have the mail twice.
    unsure boolean not null default false,
    -- Since when it is in this state.
    moved_at timestamptz not null default now(),
    sent_at timestamptz,
    check ((state in ('queued', 'sending')) = (lease_until is not null)),
    check ((state = 'sending') = (lease_token is not null)),
    check ((state = 'sent') = (sent_at is not null))
) partition by range (id);
create index deliveries_batch on deliveries (batch_id, id);
create index deliveries_user on deliveries (user_id, id) where user_id is not null;
-- The dispatcher's reading: per batch, what is due first.
create index deliveries_due on deliveries (batch_id, due_at, id) where state in ('waiting', 'retrying');
-- The sweeps' reading: what was begun and has become too old to be tried again,
create index deliveries_give_up on deliveries (give_up_at)
    where state in ('waiting', 'retrying') and give_up_at is not null;
-- and what the queue or a worker has kept too long. Small: a window, not a batch.
create index deliveries_leased on deliveries (lease_until, batch_id) where state in ('queued', 'sending');

-- A person's reading: what went wrong in a batch, the newest first. A mail that is sent at its first
-- try never enters it.
create index deliveries_trouble on deliveries (batch_id, moved_at desc, id desc)
    where state in ('retrying', 'failed', 'suppressed', 'expired');

create table attempts (
    delivery_id uuid not null,
    n integer not null,
    worker text not null,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    verdict text check (verdict in ('accepted', 'try_later', 'refused', 'unsure')),
    phase text,
    code smallint,
    enhanced_code text,
    reply text,
    primary key (delivery_id, n),
    check ((ended_at is null) = (verdict is null))
) partition by range (delivery_id);

-- When the relay last took which mail to somebody. It outlives the deliveries, for nobody may be
-- invited again because the details are gone, and it is read where only that matters. Not a column
-- of users, whom an import locks while mails to them are settled.
create table last_sent (
    user_id uuid not null,
    kind mail_kind not null,
    sent_at timestamptz not null default now(),
    primary key (user_id, kind)
) with (fillfactor = 80);

-- A delivery that has ended stays ended, whatever a late process believes.
create function deliveries_ended_stay() returns trigger
language plpgsql
as $$
begin
    raise exception 'delivery % has ended as % and cannot become %', old.id, old.state, new.state;
end
$$;
create trigger deliveries_ended_stay
    before update of state on deliveries
    for each row
    when (old.state in ('sent', 'failed', 'suppressed', 'cancelled', 'expired') and new.state <> old.state)
    execute function deliveries_ended_stay();
