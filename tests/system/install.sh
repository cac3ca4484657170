#!/bin/sh
# Installs what the system tests need and Debian or Ubuntu packages: a headless browser.
set -eu
command -v chromium >/dev/null 2>&1 && exit 0
command -v apt-get >/dev/null 2>&1 || { echo "the system tests need chromium on the PATH: install it" >&2; exit 1; }
if [ "$(id -u)" = 0 ]; then as_root=""; else as_root="sudo"; fi
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq --yes --no-install-recommends chromium fonts-dejavu-core
