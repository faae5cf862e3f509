#!/usr/bin/env bash
# The stand-in for CUDA, and the GPU engine on it, are clean to valgrind: gpu_valgrind.sh CASES ORACLE MATCH_CASES PYTHON
# Fresh device memory, pinned memory and shared memory count as undefined there: a result that depends on them is found.
set -euo pipefail
command -v valgrind >/dev/null || { echo "skipped: no valgrind"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '#!/bin/sh\nexec valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$@"\n' \
  >"$folder/check"
printf '#!/bin/sh\nexec %s/check %s "$@"\n' "$folder" "$3" >"$folder/match_cases"
chmod +x "$folder"/*

for case in sums counts copies_2d inverse_destroys_input; do
  [[ $("$folder/check" "$1" "$case") == right ]] || { echo "$case is not right"; exit 1; }
done
"$4" "$2" "$folder/match_cases" gpu 3 60
