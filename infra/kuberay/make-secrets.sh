#!/bin/sh
# Makes the passwords and the token of the namespace ratefront: random, never on a command line, in a file only while
# kubectl reads it. What is there already stays. Applies the namespace first, and brings the script that makes MLflow's
# databases. KUBECTL names another kubectl, or one with a --context.
set -eu
here=$(cd -- "$(dirname -- "$0")" && pwd)
kubectl=${KUBECTL:-kubectl}
umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

random() { # 24 bytes, in hexadecimal: nothing needs quoting anywhere
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

make() { # NAME KEY...: a secret with a random value for each key that has no file yet
    name=$1
    shift
    if $kubectl --namespace ratefront get secret "$name" >/dev/null 2>&1; then
        echo "secret $name is there already"
        return
    fi
    for key in "$@"; do
        [ -e "$folder/$key" ] || random >"$folder/$key"
        set -- "$@" "--from-file=$key=$folder/$key"
        shift
    done
    $kubectl --namespace ratefront create secret generic "$name" "$@"
}

$kubectl apply --filename "$here/base/namespace.yaml"
make ratefront-ray-token auth_token
make ratefront-mlflow postgres-password db-password admin-password flask-secret
printf sweeps >"$folder/username"
make ratefront-tracking username password
$kubectl --namespace ratefront create configmap ratefront-databases --dry-run=client --output yaml \
    --from-file="$here/../mlflow/create-databases.sh" | $kubectl apply --filename -
