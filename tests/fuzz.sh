#!/usr/bin/env bash
# Fuzzes option parsing, input files, messages and partial outputs: tests/fuzz.sh [RUNS a target] [TARGET...]
# Builds with clang and libFuzzer into build-fuzz/. New inputs are kept in build-fuzz/corpus/; what crashes a target is
# left in build-fuzz/crashes/. Exit 77 where there is no clang.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runs=${1:-1000000}
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(message options input resume)
command -v clang >/dev/null || { echo "skipped: no clang"; exit 77; }


CC=clang cmake -S . -B build-fuzz -G Ninja -DCMAKE_BUILD_TYPE=Debug -DMPIXCORR_FUZZ=ON -DBUILD_TESTING=OFF >/dev/null
cmake --build build-fuzz --target "${targets[@]/#/fuzz_}" >/dev/null
# HDF5 1.10 reads beyond its buffers and leaks on files that are damaged: what is looked for here is our own code, and
# crashes. (Rank 0 opens an input in a child first for that reason.)
export ASAN_OPTIONS=detect_leaks=0:replace_str=0:replace_intrin=0:allocator_may_return_null=1:max_allocation_size_mb=1024
for target in "${targets[@]}"; do
  mkdir -p "build-fuzz/corpus/$target" "build-fuzz/crashes/$target"
  echo "== $target, $runs executions"
  nice "build-fuzz/tests/fuzz/fuzz_$target" -runs="$runs" -seed="${SEED:-1}" -max_len=4096 -timeout=20 -print_final_stats=1 \
    -rss_limit_mb=4096 -artifact_prefix="build-fuzz/crashes/$target/" "build-fuzz/corpus/$target" \
    "tests/fuzz/corpus/$target" 2>"build-fuzz/$target.log" || {
    tail -40 "build-fuzz/$target.log"
    echo "$target: a crash, see build-fuzz/crashes/$target"
    exit 1
  }
  grep -aE '^stat::(number_of_executed_units|average_exec_per_sec)' "build-fuzz/$target.log"
done
