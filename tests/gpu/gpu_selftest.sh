#!/usr/bin/env bash
# The self-test on the stand-in: the published digest, and every pair computed there: gpu_selftest.sh PROGRAM [ARGUMENTS]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
CUDA_HOST_COUNT=$folder/counts "$@" --device gpu --seconds 0 >"$folder/page" || { cat "$folder/page"; exit 1; }
cat "$folder/page"
grep -q '^engine   gpu;' "$folder/page" || { echo "another engine was tested"; exit 1; }
grep -q '^digest   .*, as published' "$folder/page" || { echo "another digest"; exit 1; }
if grep -q '^device ' "$folder/page"; then echo "not all pairs were computed on the device"; exit 1; fi
grep -qE '^computed [1-9][0-9]{3,}$' "$folder/counts" || { echo "the device computed less than that"; exit 1; }
