-- Everything that names a person, whatever name they are known by there: see tests/contracts/personal_columns.rs.
with known as materialized (
    select addresses_of($1) as addresses
),
cancelled as (
    update deliveries set state = 'cancelled', reason = 'user_deleted', moved_at = now(), retry_at = null
    where user_id = $1 and state in ('waiting', 'queued', 'retrying')
),
-- Test mails to them. One that a worker has in hand goes on, and is not tried again.
tests as materialized (
    select d.id, d.state in ('waiting', 'queued', 'retrying') as is_waiting
    from known k, batches b join deliveries d on d.batch_id = b.id
    where b.is_test and names_address(d.test_address, k.addresses)
),
untested as (
    update deliveries d
    set test_address = null,
        state = case when t.is_waiting then 'cancelled' else d.state end,
        reason = case when t.is_waiting then 'user_deleted' else d.reason end,
        moved_at = case when t.is_waiting then now() else d.moved_at end,
        retry_at = case when t.is_waiting then null else d.retry_at end
    from tests t where d.id = t.id
),
silenced as (
    update attempts a set reply = null
    from deliveries d
    where a.delivery_id = d.id and (d.user_id = $1 or d.id in (select id from tests))
),
unlinked as (
    delete from import_users where user_id = $1
),
unchanged as (
    delete from import_changes where user_id = $1
),
unrejected as (
    delete from import_rejects r using known k
    where names_address(array_to_string(r.cells, ' '), k.addresses) or names_address(r.problems::text, k.addresses)
),
-- The answers of imports quote rows. One who asks again imports the same file again, which doubles nobody.
unanswered as (
    delete from idempotency_keys i using known k where names_address(i.answer::text, k.addresses)
),
unnamed as (
    update left_out l set user_id = null, given = null
    from known k
    where l.user_id = $1 or names_address(l.given, k.addresses)
),
forgotten as (
    delete from last_sent where user_id = $1
),
unblocked as (
    delete from blocked_addresses b using known k where b.user_id = $1 or b.email_key = any (k.addresses)
),
gone as (
    delete from users where id = $1 returning 1
)
select count(*) as "n!" from gone
