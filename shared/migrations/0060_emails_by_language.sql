-- A system email has a text for each language.

alter table system_email_versions
    -- The language of subject and body; empty if the administrator has not stated it.
    add column language text not null default '',
    -- The same email in other languages: `system_email::Translation`. They belong to the version and never change.
    add column translations jsonb not null default '[]';

-- The language of a test mail, which has no user.
alter table batches add column test_language text;
