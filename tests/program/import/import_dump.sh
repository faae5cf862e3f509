#!/usr/bin/env bash
# A real export of the EM alignment client: imported, run with the client's tolerance, and compared with what the client
# had found: import_dump.sh DATA
set -euo pipefail
dump=${1:-${MPIXCORR_TEST_DATA:-}}/emalign_dump
if [[ ! -d $dump ]]; then
  echo "skipped: MPIXCORR_TEST_DATA names no folder with emalign_dump"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$MPIXCORR" import "$dump" "$folder/dump.h5"
"$MPIXCORR" run "$folder/dump.h5" "$folder/peaks.h5" --eps 1.1920929e-07 --progress none
"$MPIXCORR" compare "$folder/peaks.h5" "$folder/dump.h5" --peak-tolerance 1e-5 | tee "$folder/words"
grep -q 'coordinates  12 of 12 equal' "$folder/words"
