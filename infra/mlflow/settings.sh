# shellcheck shell=sh
# The scripts beside it read it: settings come from the environment, secrets from the files that it names.

missing=0

need() { # NAME WHAT: prints a line if the setting is missing
    eval "value=\${$1:-}"
    if [ -z "$value" ]; then
        echo "${0##*/}: set $1: $2" >&2
        missing=1
    fi
}

need_file() { # NAME WHAT: prints a line if the secret cannot be read
    eval "value=\${$1:-}"
    if [ -z "$value" ]; then
        echo "${0##*/}: set $1: the path of a file that holds $2" >&2
        missing=1
    elif [ ! -r "$value" ] || [ ! -s "$value" ]; then
        echo "${0##*/}: $1=$value: no file that $(id -un 2>/dev/null || id -u) can read, or an empty one" >&2
        missing=1
    fi
}

settled() { # exits if anything is missing
    [ "$missing" = 0 ] || exit 2
}

# Sets libpq's own variables, which psycopg2, psql and pg_dump read: so no address and no command line holds a password.
# For a server elsewhere add PGSSLMODE=verify-full and PGSSLROOTCERT.
use_database() {
    PGHOST=$MLFLOW_DB_HOST
    PGPORT=${MLFLOW_DB_PORT:-5432}
    PGUSER=${MLFLOW_DB_USER:-mlflow}
    PGPASSWORD=$(cat "$MLFLOW_DB_PASSWORD_FILE")
    PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}
    export PGHOST PGPORT PGUSER PGPASSWORD PGCONNECT_TIMEOUT
}
