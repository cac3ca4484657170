#!/bin/sh
# Installs what the system tests need and Debian or Ubuntu packages: a headless browser, PostgreSQL, Slurm, promtool,
# a C compiler, and tools that make networks.
set -eu
has() { command -v "$1" >/dev/null 2>&1; }
packages=""
has chromium || packages="$packages chromium fonts-dejavu-core"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="$packages postgresql"
has slurmctld || packages="$packages slurm-wlm munge"
has promtool || packages="$packages prometheus"
has cc || packages="$packages gcc libc6-dev"
has ip || packages="$packages iproute2"
has nsenter || packages="$packages util-linux"
has ps || packages="$packages procps"
[ -n "$packages" ] || exit 0
has apt-get || { echo "the system tests need these packages of Debian: install$packages" >&2; exit 1; }
if [ "$(id -u)" = 0 ]; then as_root=""; else as_root="sudo"; fi
# the tests start their own servers: none is to be made or started here
[ -e /etc/postgresql-common/createcluster.conf ] || {
    $as_root mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
}
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq --yes --no-install-recommends $packages
