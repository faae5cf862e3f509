#!/usr/bin/env bash
# The stand-in for CUDA, and the GPU engine on it, are clean to valgrind: gpu_valgrind.sh CASES CONFORMANCE_FUZZ
# Fresh device memory, pinned memory and shared memory count as undefined there: a result that depends on them is found.
set -euo pipefail
command -v valgrind >/dev/null || { echo "skipped: no valgrind"; exit 77; }

check() { valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$@"; }
for case in sums counts copies_2d inverse_destroys_input; do
  [[ $(check "$1" "$case") == right ]] || { echo "$case is not right"; exit 1; }
done
check "$2" gpu pairs_that_once_failed
