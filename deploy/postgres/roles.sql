-- Two roles for Beckon, in the database that this is run in, by a superuser:
--
--   psql --dbname=beckon --set=owner_password="$OWNER" --set=password="$RUNTIME" --file=roles.sql
--
-- beckon_owner owns schema and tables: `beckon-api migrate` uses it, nothing else. beckon is what the programs run
-- as (BECKON_MIGRATE=false): it reads and writes rows, makes and drops months by two functions of the owner's, may
-- only add to the audit log, and owns nothing. Run it before the first migration; running it again changes nothing.
-- In a database that was migrated by another role: run it, then `reassign owned by` that role `to beckon_owner`, then
-- run it again. The first run makes the roles, the second gives the rights on what they own by then.
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
-- Without passwords it is for servers that know their clients otherwise, such as by certificates.
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

-- What migrations make later,
alter default privileges for role :"owner" in schema public
    grant select, insert, update, delete on tables to :"runtime";
alter default privileges for role :"owner" in schema public grant execute on functions to :"runtime";
-- and what is there.
grant select, insert, update, delete on all tables in schema public to :"runtime";
grant execute on all functions in schema public to :"runtime";
select 'select keep_to_adding()' where to_regprocedure('public.keep_to_adding()') is not null
\gexec
