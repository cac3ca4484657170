#!/bin/sh
# Upgrades the tables of the runs to the installed version of MLflow; the server's start upgrades those of the accounts.
# The server must not run. There is no way back but a backup: make one first.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"

need MLFLOW_DB_HOST "the host of PostgreSQL"
need_file MLFLOW_DB_PASSWORD_FILE "the password of its user"
settled
use_database
exec mlflow db upgrade postgresql+psycopg2:///mlflow
