-- The audit log can tell who acted by id, from which address, and in which request.

-- What acted: 'administrator', 'key', 'command_line', 'beckon' or 'unknown'. Null in older lines.
alter table audit add column actor_kind text;
-- The administrator's or the key's id; names can be given away and taken again.
alter table audit add column actor_id uuid;
-- The client's address, as the socket or a trusted reverse proxy reported it.
alter table audit add column client_address text;
-- The trace id of the request, as in the log.
alter table audit add column request_id text;
create index audit_actor on audit (actor_id, id) where actor_id is not null;
