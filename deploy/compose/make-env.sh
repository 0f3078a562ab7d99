#!/bin/sh
# Writes .env for docker compose, from deploy/compose/.env.example, with a fresh secret for each that has none.
# Usage: deploy/compose/make-env.sh [file]        (the file is .env in the repository's root if not given)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$here/../../.env}
if [ -e "$target" ]; then
	echo "$target exists already; delete it first if all its secrets may change" >&2
	exit 1
fi

secret() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

umask 077
while IFS= read -r line; do
	case $line in
	*_SECRET= | *_PASSWORD= | *_TOKEN=) printf '%s%s\n' "$line" "$(secret)" ;;
	*) printf '%s\n' "$line" ;;
	esac
done <"$here/.env.example" >"$target"
echo "wrote $target"
