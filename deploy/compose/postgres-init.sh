#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: the database and its roles, the
# same as on the local stack.
set -eu
exec psql --no-psqlrc -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" \
	--username postgres --file /onrush/bootstrap.sql
