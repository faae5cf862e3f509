#!/usr/bin/env bash
# Runs one command-line test: tests/cli/run_one.sh NAME [--update]
#   NAME.sh        the test, run by bash in an empty folder, with $MPIXCORR, and `mpixcorr` and `ranks N` at hand
#   NAME.expected  its standard output and errors, and in the last line "exit CODE"
# With --update the expected output is rewritten: look at the difference before committing it.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$1
export MPIXCORR=${MPIXCORR:-$here/../../build/mpixcorr} MPIEXEC=${MPIEXEC:-$here/../common/bin/mpirun}
export LC_ALL=C COLUMNS=80

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

mpixcorr() { "$MPIXCORR" "$@"; }
# ranks N ARGUMENTS: the program under mpirun, without the launcher's own words unless these are all that explains
ranks() {
  local code=0 n=$1
  shift
  "$MPIEXEC" -n "$n" "$MPIXCORR" "$@" 2>"$folder/.stderr" || code=$?
  grep -a '^mpixcorr: ' "$folder/.stderr" >&2 || [[ $code == 0 ]] || cat "$folder/.stderr" >&2
  rm -f "$folder/.stderr"
  return $code
}
export folder
export -f mpixcorr ranks

actual=$(
  bash "$here/$name.sh" 2>&1 </dev/null
  echo "exit $?"
)
if [[ "${2:-}" == --update ]]; then
  printf '%s\n' "$actual" >"$here/$name.expected"
else
  diff -u --label "$name.expected" --label actual "$here/$name.expected" <(printf '%s\n' "$actual")
fi
