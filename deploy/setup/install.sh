#!/usr/bin/env bash
# Installs what the tests need and is missing: Debian packages (root or passwordless sudo) and npm packages by their
# lock files. Does nothing when all is there. Tests start and stop the servers themselves.
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=()
need() { # need PACKAGE COMMAND...: the package is missing unless one of the commands is there
  local package=$1 command
  shift
  for command in "$@"; do
    if command -v "$command" >/dev/null 2>&1 || [ -x "$command" ]; then return; fi
  done
  missing+=("$package")
}

need gcc gcc cc # the race detector links with it
need postgresql "$(pg_config --bindir 2>/dev/null || true)/postgres" /usr/lib/postgresql/*/bin/postgres
need redis-server redis-server
need haproxy haproxy /usr/sbin/haproxy
need chromium chromium
need python3-stomp /usr/bin/stomp
need nodejs node
need npm npm
need shellcheck shellcheck

if [ ${#missing[@]} -gt 0 ]; then
  apt=()
  if [ "$(id -u)" = 0 ]; then
    apt=(apt-get)
  elif sudo -n true 2>/dev/null; then
    apt=(sudo -n apt-get)
  fi
  if [ ${#apt[@]} -eq 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]}. Install them (Debian: apt-get install ${missing[*]}) and run make again." >&2
    exit 1
  fi
  echo "== installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${apt[@]}" update -qq
  # The servers are for the tests to start, not for the machine to run.
  RUNLEVEL=1 "${apt[@]}" install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

for folder in gateway/web gateway/web/sdk deploy/e2e/interop; do
  [ -f "$folder/package-lock.json" ] || continue
  if [ ! -f "$folder/node_modules/.package-lock.json" ] ||
    [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ]; then
    echo "== npm ci in $folder"
    (cd "$folder" && npm ci --no-audit --no-fund --silent)
  fi
done
