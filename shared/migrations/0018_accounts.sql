-- API keys expire and can be allowed to read the audit log, a password can be set with a link that works
-- once, and a session knows when its owner last proved who they are.

alter table api_keys
    -- Null: it never expires.
    add column expires_at timestamptz,
    -- The administrator who made it. Null: made on the command line, or by a release that did not record it.
    add column created_by_id uuid,
    add column may_read_audit_log boolean not null default false;
create index api_keys_created_by on api_keys (created_by_id);

alter table administrators
    -- SHA-256 of the token in a link with which they set their password. Null: there is none, or it was used
    -- or withdrawn.
    add column link_digest bytea,
    -- Until when the link works. Kept when it is withdrawn; null once they have a password of their own.
    add column link_expires_at timestamptz;

-- When the password was last entered in this session. Null in sessions begun by a release that does not
-- record it: then it was when the session began.
alter table sessions add column authenticated_at timestamptz;
