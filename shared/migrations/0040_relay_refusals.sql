-- A batch shows what the relay refuses of everybody, and a worker at which rate the relay takes mail.

-- Refusals that are about our sender, login or account, or about a letter, and not about a recipient. The
-- mails that met them wait with their batch and have spent no attempt.
create table relay_refusals (
    batch_id uuid not null references batches on delete cascade,
    -- The class of the trouble, as in deliveries.reason.
    class text not null,
    phase text not null,
    code smallint,
    enhanced_code text,
    -- The relay's words without addresses and names of recipients.
    words text not null,
    -- Mails that met it since the batch last went on.
    affected integer not null,
    -- Whether nearly all recipients got the same words.
    is_everybodys boolean not null,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (batch_id, class)
);

-- What the relay refuses of every mail: the class of the trouble; null where it is not our sender, login or
-- account.
alter table workers add column refusal text;

-- Mails a second that a worker sends because the relay throttled it; null while nothing is limited.
alter table workers add column rate_limit double precision;
