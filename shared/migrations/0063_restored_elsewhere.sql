-- A dump that was restored into another cluster is noticed before anything is published or claimed.

-- Its timeline may be the same by chance. Without this, a worker claimed jobs from the lost time, which RabbitMQ still had,
-- until the dispatcher looked.
-- since 0.1.0: that release calls the function and does not depend on what it compares
create or replace function sending_is_open() returns boolean
language sql stable parallel safe
return not exists (
    select from database_history
    where held_at is not null or timeline is distinct from current_timeline()
       or cluster is distinct from (select system_identifier from pg_control_system()));
