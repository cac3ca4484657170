#!/bin/sh
# restore.sh BACKUP: puts a folder that backup.sh made into the two databases, which must be empty: it overwrites
# nothing. Each database is restored whole or not at all. The server must not run.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"

if [ "$#" != 1 ] || [ ! -r "$1/mlflow.dump" ] || [ ! -r "$1/mlflow_auth.dump" ]; then
    echo "usage: ${0##*/} BACKUP, a folder that backup.sh made" >&2
    exit 2
fi
need MLFLOW_DB_HOST "the host of PostgreSQL"
need_file MLFLOW_DB_PASSWORD_FILE "the password of its user"
settled
use_database

for database in mlflow mlflow_auth; do
    tables=$(psql --no-psqlrc --no-align --tuples-only --dbname="$database" --command \
        "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
    if [ "$tables" != 0 ]; then
        echo "${0##*/}: database $database has $tables tables: drop it and run create-databases.sh first" >&2
        exit 1
    fi
done
for database in mlflow mlflow_auth; do
    pg_restore --no-owner --single-transaction --exit-on-error --dbname="$database" "$1/$database.dump"
done
