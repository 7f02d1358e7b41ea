#!/bin/sh
# The Postgres image runs this once, after creating the database. Later password changes are made by hand.
set -eu
psql --no-psqlrc --quiet --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --set=owner_password="$(cat /run/secrets/postgres_owner_password)" \
    --set=password="$(cat /run/secrets/postgres_beckon_password)" \
    --file=/etc/postgresql/beckon/roles.sql
