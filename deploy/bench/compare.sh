#!/usr/bin/env bash
# Compares the Go benchmarks of this tree with those of another commit: compare.sh BASE [PATTERN] [PACKAGE…].
# Runs both COUNT times (default 6), package by package in turn, so that a machine that gets slower slows both alike.
set -euo pipefail
cd "$(dirname "$0")/../.."

base=${1:?usage: compare.sh BASE [PATTERN] [PACKAGE...]}
pattern=${2:-.}
shift $(($# < 2 ? $# : 2))
packages=("$@")
if [ ${#packages[@]} -eq 0 ]; then
  mapfile -t packages < <(git grep -lE '^func Benchmark' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|')
fi

folder=$(mktemp -d)
trap 'git worktree remove --force "$folder/base" 2>/dev/null || true; rm -rf "$folder"' EXIT
git worktree add --quiet --detach "$folder/base" "$base"

run() { # run FOLDER PACKAGE OUTPUT
  if [ ! -d "$1/$2" ]; then return; fi
  (cd "$1" && go test -run '^$' -bench "$pattern" -benchmem -count "${COUNT:-6}" "$2") >>"$3"
}
for package in "${packages[@]}"; do
  echo "== $package" >&2
  run "$folder/base" "$package" "$folder/old.txt"
  run . "$package" "$folder/new.txt"
done
benchstat "$base=$folder/old.txt" "this tree=$folder/new.txt"
