#!/bin/sh
# backup.sh FOLDER: dumps both databases into a new folder below it and prints its path. The new folder gets its name
# only when both are whole. The server may run. Artifacts are not in it: README.md.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"

if [ "$#" != 1 ] || [ ! -d "$1" ]; then
    echo "usage: ${0##*/} FOLDER, one that exists" >&2
    exit 2
fi
need MLFLOW_DB_HOST "the host of PostgreSQL"
need_file MLFLOW_DB_PASSWORD_FILE "the password of its user"
settled
use_database

umask 077 # runs may be private, and accounts are
backup=$1/mlflow-$(date -u +%Y%m%dT%H%M%SZ)
partial=$(mktemp -d "$1/.partial-XXXXXX")
trap 'rm -rf "$partial"' EXIT
trap 'exit 1' HUP INT TERM
for database in mlflow mlflow_auth; do
    pg_dump --format=custom --no-owner --lock-wait-timeout=60000 --file="$partial/$database.dump" --dbname="$database"
    pg_restore --list "$partial/$database.dump" >/dev/null
done
if [ -e "$backup" ]; then
    echo "${0##*/}: $backup is there already" >&2
    exit 1
fi
sync
mv "$partial" "$backup"
echo "$backup"
