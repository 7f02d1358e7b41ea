-- Everything that is kept about a person, but for secrets: see tests/contracts/personal_columns.rs.
with known as materialized (
    select addresses_of($1) as addresses
),
mails as materialized (
    select d.*, b.kind, b.version, b.is_test
    from deliveries d join batches b on b.id = d.batch_id
    where d.user_id = $1
    union all
    select d.*, b.kind, b.version, b.is_test
    from known k, batches b join deliveries d on d.batch_id = b.id
    where b.is_test and names_address(d.test_address, k.addresses)
)
select json_build_object(
    'user', json_build_object(
        'id', u.id, 'email', u.email, 'first_name', u.first_name, 'last_name', u.last_name, 'language', u.language,
        'fields', u.fields, 'created_at', u.created_at, 'updated_at', u.updated_at, 'signed_in_at', u.signed_in_at,
        'locked_at', u.locked_at),
    'former_addresses', (
        select coalesce(json_agg(json_build_object(
            'email', f.email, 'until', f.until, 'earlier_ends', f.earlier_ends) order by f.until), '[]')
        from former_addresses f
        where f.user_id = u.id),
    'imports', (
        select coalesce(json_agg(json_build_object(
            'import', i.id, 'file_name', i.file_name, 'done_at', i.done_at, 'row', p.row_number, 'effect', p.effect)
            order by i.id), '[]')
        from import_users p join imports i on i.id = p.import_id
        where p.user_id = u.id),
    'import_changes', (
        select coalesce(json_agg(json_build_object(
            'import', i.id, 'file_name', i.file_name, 'row', c.row_number, 'before', c.before, 'after', c.after)
            order by i.id), '[]')
        from import_changes c join imports i on i.id = c.import_id
        where c.user_id = u.id),
    'rejected_rows', (
        select coalesce(json_agg(json_build_object(
            'import', i.id, 'file_name', i.file_name, 'row', r.row_number, 'header', i.header, 'cells', r.cells,
            'problems', r.problems) order by i.id, r.row_number), '[]')
        from import_rejects r join imports i on i.id = r.import_id
        where names_address(array_to_string(r.cells, ' '), k.addresses)
           or names_address(r.problems::text, k.addresses)),
    'answers', (
        -- An answer may quote rows of many people: only the parts of it that name this one.
        select coalesce(json_agg(json_build_object('created_at', a.created_at, 'answer', part.own)
            order by a.created_at), '[]')
        from idempotency_keys a
        cross join lateral jsonb_path_query(a.answer, 'strict $.**') value (it)
        cross join lateral (
            select case jsonb_typeof(value.it)
                when 'object' then (
                    select jsonb_object_agg(m.key, m.value) from jsonb_each(value.it) m
                    where jsonb_typeof(m.value) not in ('object', 'array'))
                when 'array' then (
                    select jsonb_agg(m.value) from jsonb_array_elements(value.it) m
                    where jsonb_typeof(m.value) = 'string' and names_address(m.value #>> '{}', k.addresses))
            end
        ) part (own)
        where names_address(part.own::text, k.addresses)),
    'passwords', (
        select coalesce(json_agg(json_build_object(
            'kind', c.kind, 'delivery', c.delivery_id, 'attempt', c.attempt, 'created_at', c.created_at,
            'expires_at', c.expires_at, 'used_at', c.used_at) order by c.id), '[]')
        from credentials c
        where c.user_id = u.id),
    'mails', (
        select coalesce(json_agg(json_build_object(
            'delivery', m.id, 'batch', m.batch_id, 'kind', m.kind, 'version', m.version, 'is_test', m.is_test,
            'test_address', m.test_address, 'state', m.state, 'reason', m.reason, 'sent_at', m.sent_at,
            'attempts', (
                select coalesce(json_agg(json_build_object(
                    'n', t.n, 'started_at', t.started_at, 'ended_at', t.ended_at, 'verdict', t.verdict,
                    'phase', t.phase, 'code', t.code, 'enhanced_code', t.enhanced_code, 'reply', t.reply)
                    order by t.n), '[]')
                from attempts t
                where t.delivery_id = m.id)) order by m.id), '[]')
        from mails m),
    'signed_in_with', (
        select coalesce(json_agg(json_build_object('last_signed_in_at', w.seen_at) order by w.seen_at), '[]')
        from known_clients w
        where w.user_id = u.id),
    'last_sent', (
        select coalesce(json_agg(json_build_object('kind', s.kind, 'sent_at', s.sent_at) order by s.kind), '[]')
        from last_sent s
        where s.user_id = u.id),
    'left_out', (
        select coalesce(json_agg(json_build_object(
            'batch', l.batch_id, 'given', l.given, 'reason', l.reason) order by l.id), '[]')
        from left_out l
        where l.user_id = u.id or names_address(l.given, k.addresses)),
    'saved_filters', (
        select coalesce(json_agg(json_build_object('name', f.name, 'filter', f.user_filter) order by f.id), '[]')
        from saved_filters f
        where names_address(f.name, k.addresses) or names_address(f.user_filter::text, k.addresses)),
    'do_not_mail_lists', (
        select coalesce(json_agg(json_build_object('list', l.name, 'email', d.email) order by l.name), '[]')
        from do_not_mail_addresses d join do_not_mail_lists l on l.id = d.list_id
        where d.digest in (select address_digest(a.key) from unnest(k.addresses) as a (key))),
    'blocked_addresses', (
        select coalesce(json_agg(json_build_object(
            'email', b.email, 'blocked_at', b.blocked_at, 'reason', b.reason, 'code', b.code,
            'enhanced_code', b.enhanced_code, 'reply', b.reply, 'delivery', b.delivery_id) order by b.id), '[]')
        from blocked_addresses b
        where b.user_id = u.id or b.email_key = any (k.addresses)),
    'audit', (
        select coalesce(json_agg(json_build_object('at', a.at, 'action', a.action, 'details', a.details)
            order by a.id), '[]')
        from audit a
        where a.subject = 'user ' || u.id)) as "export!"
from users u, known k
where u.id = $1
