#!/bin/sh
# Serves MLflow: runs and accounts in PostgreSQL, artifacts through the server, passwords for all but /health.
# README.md says what to set. Whatever MLflow itself reads from the environment can be set too.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"

need MLFLOW_DB_HOST "the host of PostgreSQL"
need_file MLFLOW_DB_PASSWORD_FILE "the password of its user"
need_file MLFLOW_ADMIN_PASSWORD_FILE "the password of MLflow's first user, admin: 12 characters or more"
need_file MLFLOW_FLASK_SECRET_FILE "a random text that signs forms, the same at each start"
need MLFLOW_ARTIFACTS_DESTINATION "where artifacts lie: a folder or s3://BUCKET"
settled
use_database

MLFLOW_AUTH_ADMIN_PASSWORD=$(cat "$MLFLOW_ADMIN_PASSWORD_FILE")
MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat "$MLFLOW_FLASK_SECRET_FILE")
export MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY
export MLFLOW_AUTH_CONFIG_PATH="$here/auth.ini"
export MLFLOW_BACKEND_STORE_URI=postgresql+psycopg2:///mlflow
export MLFLOW_ARTIFACTS_DESTINATION
export MLFLOW_SERVE_ARTIFACTS=true # clients need no key of the artifact store

export MLFLOW_HOST="${MLFLOW_HOST:-127.0.0.1}"
export MLFLOW_PORT="${MLFLOW_PORT:-5000}"
export MLFLOW_WORKERS="${MLFLOW_WORKERS:-2}"
# the names by which a browser or a client may call this server: a page on another site must not reach it through them
export MLFLOW_SERVER_ALLOWED_HOSTS="${MLFLOW_ALLOWED_HOSTS:-localhost:$MLFLOW_PORT,127.0.0.1:$MLFLOW_PORT}"
export MLFLOW_SERVER_X_FRAME_OPTIONS="${MLFLOW_SERVER_X_FRAME_OPTIONS:-DENY}"
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false # it runs language models' judges: 240 MB for nothing
export MLFLOW_DISABLE_TELEMETRY=true

exec mlflow server --app-name basic-auth
