#!/bin/sh
# Makes the role and the two databases that serve.sh uses. libpq's variables (PGHOST, PGUSER, ...) name the
# administrator of PostgreSQL who makes them; PostgreSQL's image runs this at its first start. What is there already
# stays; the role gets the password in the file.
set -eu
if [ ! -r "${MLFLOW_DB_PASSWORD_FILE:-}" ]; then
    echo "${0##*/}: set MLFLOW_DB_PASSWORD_FILE: the path of a file that holds the password of the role" >&2
    exit 2
fi

# psql reads the file itself: a password in a variable of its command line would be seen by all
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=role="${MLFLOW_DB_USER:-mlflow}" --dbname=postgres <<'SQL'
-- the password is in no log, whatever the server logs
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\set password `cat "$MLFLOW_DB_PASSWORD_FILE"`

SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN PASSWORD :'password';

SELECT format('CREATE DATABASE %I OWNER %I', name, :'role')
FROM (VALUES ('mlflow'), ('mlflow_auth')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
REVOKE ALL ON DATABASE mlflow, mlflow_auth FROM PUBLIC;
SQL
