-- Creates two roles for Beckon in the current database. Run as a superuser:
--
--   psql --dbname=beckon --set=owner_password="$OWNER" --set=password="$RUNTIME" --file=roles.sql
--
-- beckon_owner owns the schema and the tables; only `beckon-api migrate` uses it. The programs run as beckon
-- (BECKON_MIGRATE=false): it reads and writes rows, creates and drops monthly partitions through two functions of the
-- owner, may only append to the audit log, and owns nothing. Run this file before the first migration; running it again
-- changes nothing. In a database that another role migrated: run it, then `reassign owned by` that role `to
-- beckon_owner`, then run it again. The first run creates the roles, the second grants rights on what they then own.
\set ON_ERROR_STOP on
\if :{?owner}
\else
    \set owner beckon_owner
\endif
\if :{?runtime}
\else
    \set runtime beckon
\endif

select format('create role %I', name) from unnest(array[:'owner', :'runtime']) as name
where not exists (select from pg_roles where rolname = name)
\gexec
alter role :"owner" with login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role :"runtime" with login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
-- Without passwords, for servers that authenticate clients by other means, such as certificates.
\if :{?owner_password}
    alter role :"owner" with password :'owner_password';
\endif
\if :{?password}
    alter role :"runtime" with password :'password';
\endif

select format('revoke all on database %I from public', current_database())
\gexec
select format('grant connect on database %I to %I, %I', current_database(), :'owner', :'runtime')
\gexec
alter schema public owner to :"owner";
revoke all on schema public from public;
grant usage on schema public to :"runtime";

-- Objects that later migrations create,
alter default privileges for role :"owner" in schema public
    grant select, insert, update, delete on tables to :"runtime";
alter default privileges for role :"owner" in schema public grant execute on functions to :"runtime";
-- and existing objects.
grant select, insert, update, delete on all tables in schema public to :"runtime";
grant execute on all functions in schema public to :"runtime";
select 'select keep_to_adding()' where to_regprocedure('public.keep_to_adding()') is not null
\gexec
