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
-- Stored responses of imports quote rows. Without its stored response, a repeated request imports the same file again,
-- which creates no duplicates.
unanswered as (
    delete from idempotency_keys i using known k where names_address(i.answer::text, k.addresses)
),
-- What administrators searched for.
unsaved as (
    delete from saved_filters f using known k
    where names_address(f.name, k.addresses) or names_address(f.user_filter::text, k.addresses)
),
unselected as (
    delete from selections s using known k 
    where names_address(s.filter::text, k.addresses) or names_address(s.user_filter::text, k.addresses)
),
renamed as (
    update do_not_mail_lists l set name = 'List ' || l.id, name_key = 'list ' || l.id
    from known k where names_address(l.name, k.addresses)
),
-- What a batch left out, as an administrator called it.
unrecorded as (
    update batches b
    set excluded = (
        select jsonb_agg(case when names_address(source ->> 'name', k.addresses)
                              then source || '{"name": "(erased)"}' else source end order by n)
        from jsonb_array_elements(b.excluded) with ordinality as sources (source, n))
    from known k where names_address(b.excluded::text, k.addresses)
),
unnamed as (
    update left_out l set user_id = null, given = null
    from known k
    where l.user_id = $1 or names_address(l.given, k.addresses)
),
forgotten as (
    delete from last_sent where user_id = $1
),
unlisted as (
    -- The digest stays, so that a person who is imported again is still not mailed.
    update do_not_mail_addresses d set email = null
    from known k
    where d.digest in (select address_digest(a.key) from unnest(k.addresses) as a (key))
),
unblocked as (
    delete from blocked_addresses b using known k where b.user_id = $1 or b.email_key = any (k.addresses)
),
gone as (
    delete from users where id = $1 returning 1
)
select count(*) as "n!" from gone
