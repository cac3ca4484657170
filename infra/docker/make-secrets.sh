#!/bin/sh
# Makes the passwords and keys of compose.yaml in secrets/ beside it: random, readable by their owner alone. What is
# there already stays: to change one, see README.md.
set -eu
folder=$(cd -- "$(dirname -- "$0")" && pwd)/secrets
umask 077
set -C # > never overwrites
mkdir -p "$folder"
cd "$folder"

random() { # 24 bytes, in hexadecimal: nothing needs quoting anywhere
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

for name in postgres_password mlflow_db_password mlflow_admin_password mlflow_flask_secret ray_token; do
    [ -e "$name" ] || random >"$name"
done
[ -e mlflow_credentials ] || cat >mlflow_credentials <<END
[mlflow]
mlflow_tracking_username = sweeps
mlflow_tracking_password = $(random)
END
# one key in two forms: the artifact store's and its client's
if [ ! -e s3.json ]; then
    key=$(random)
    cat >s3_credentials <<END
[default]
aws_access_key_id = mlflow
aws_secret_access_key = $key
END
    cat >s3.json <<END
{
  "identities": [
    {
      "name": "mlflow",
      "credentials": [{"accessKey": "mlflow", "secretKey": "$key"}],
      "actions": ["Read:mlflow", "Write:mlflow", "List:mlflow", "Tagging:mlflow"]
    }
  ]
}
END
fi
[ "$(id -u)" != 0 ] || chown -R 1000:1000 . # the containers' user
echo "secrets are in $folder"
case "$(id -u)" in
    0 | 1000) ;;
    *) echo "the containers' user is 1000 and cannot read them: say sudo chown -R 1000:1000 $folder" >&2 ;;
esac
