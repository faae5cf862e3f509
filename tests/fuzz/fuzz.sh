#!/usr/bin/env bash
# Fuzzes option parsing, messages, validation and planning of decoded tables, sources, input files, and partial outputs:
# tests/fuzz/fuzz.sh [RUNS a target] [TARGET...]
# The target source is run once for each of its parsers; source/png is one of them alone. Their files are in memory, so
# that 10^6 executions take minutes.
# Builds with clang and libFuzzer into build-fuzz/, under the sanitizers in FUZZ_SANITIZERS. New inputs are kept in
# build-fuzz/corpus/; what crashes a target is left in build-fuzz/crashes/. Exit 77 where there is no clang.
#
# Input files and partial outputs go through HDF5, which is not instrumented and has crashes of its own on damaged files.
# Those targets go on after a crash, and in the end the program itself is run on every file that crashed one: it must
# say so in one line. Likewise on each that took 10 s or more than 4 GiB, where no stack tells whose fault that is. A crash in
# this project's code fails at once. With FUZZ_SANITIZERS=undefined they are several times as fast.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
runs=${1:-1000000}
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(message options catalog source input resume)
parsers=(tiff png jpeg npy mrc zarr2 zarr3 n5 ome name shapes codec)
units=()
for target in "${targets[@]}"; do
  if [[ $target == source ]]; then units+=("${parsers[@]/#/source/}"); else units+=("$target"); fi
done
sanitizers=${FUZZ_SANITIZERS:-address,undefined}
program=${MPIXCORR:-build/mpixcorr}
command -v clang >/dev/null || { echo "skipped: no clang"; exit 77; }
export OMPI_MCA_ess_singleton_isolated=1
build="build-fuzz"
[[ $sanitizers == *address* ]] || build="build-fuzz-plain"

CC=clang cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -g" -DMPIXCORR_FUZZ=ON \
  -DMPIXCORR_FUZZ_SANITIZERS="$sanitizers" -DBUILD_TESTING=OFF >/dev/null
mapfile -t binaries < <(printf 'fuzz_%s\n' "${units[@]%%/*}" | sort -u)
cmake --build "$build" --target "${binaries[@]}" >"$build/build.log" || { tail -40 "$build/build.log"; exit 1; }
# HDF5 1.10 reads beyond its buffers, by functions that are checked in its stead, and leaks on damaged files.
hdf5=detect_leaks=0:replace_str=0:replace_intrin=0:intercept_strlen=0:allocator_may_return_null=1:max_allocation_size_mb=1024
sources=allocator_may_return_null=1:max_allocation_size_mb=32:quarantine_size_mb=16

FUZZ_FOLDER=$(mktemp -d /dev/shm/fuzz.XXXXXX) # for the targets' files; those that crash leave theirs behind
export FUZZ_FOLDER
trap 'rm -rf "$FUZZ_FOLDER"' EXIT

contained() { # TARGET CRASHING INPUT: the program ends in order where the target crashed in HDF5
  local folder code=0 kept=out.h5.part
  folder=$(mktemp -d)
  cp tests/fuzz/base_input.h5 "$folder/in.h5"
  if [[ $1 == input ]]; then
    FUZZ_KEEP=$folder/in.h5 "$build/tests/fuzz/fuzz_$1" "$2" >/dev/null 2>&1
  else
    [[ $(head -c 1 "$2" | od -An -tu1) -lt 128 ]] || kept=out.h5 # a complete one
    FUZZ_KEEP=$folder/$kept "$build/tests/fuzz/fuzz_$1" "$2" >/dev/null 2>&1
  fi
  MPIXCORR_PROBE_S=20 timeout 60 "$program" run "$folder/in.h5" "$folder/out.h5" --resume --retry unreadable --progress none >/dev/null 2>"$folder/errors" || code=$?
  if [[ $code -ne 3 && $code -ne 0 && $code -ne 6 ]] || [[ $(grep -c . "$folder/errors") -gt 1 ]]; then
    echo "$2: the program ended with $code:"
    cat "$folder/errors"
    return 1
  fi
  rm -r "$folder"
}

for unit in "${units[@]}"; do
  target=${unit%%/*} log=$build/${unit/\//_}.log crashes=$build/crashes/$unit how=()
  export FUZZ_PARSER=${unit#*/} ASAN_OPTIONS=$hdf5
  mkdir -p "build-fuzz/corpus/$unit" "$crashes"
  rm -f "$crashes"/*
  case $target in
    input | resume) how=(-fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1) ;;
    source) ASAN_OPTIONS=$sources how=(-dict=tests/fuzz/source.dict) ;;
  esac
  echo "== $unit, $runs executions"
  nice "$build/tests/fuzz/fuzz_$target" "${how[@]}" -runs="$runs" -seed="${SEED:-1}" -max_len=2048 -timeout=20 \
    -print_final_stats=1 -rss_limit_mb=4096 -artifact_prefix="$crashes/" "build-fuzz/corpus/$unit" \
    "tests/fuzz/corpus/$unit" >"$log" 2>&1 || [[ ${how[0]:-} == -fork=1 ]] || { # forked ones end with 1 after a crash
    tail -40 "$log"
    echo "$unit: a crash, see $crashes"
    exit 1
  }
  grep -aE '^stat::(number_of_executed_units|average_exec_per_sec)' "$log" || grep -aE '^#[0-9]+: cov' "$log" | tail -1
  rm -rf "${FUZZ_FOLDER:?}"/*
  [[ ${how[0]:-} == -fork=1 ]] || continue
  mapfile -t greedy < <(find "$crashes" -type f ! -name 'crash-*') # oom-*, timeout-*, slow-unit-*
  for file in "${greedy[@]}"; do contained "$target" "$file" || exit 1; done
  [[ ${#greedy[@]} -eq 0 ]] || echo "${#greedy[@]} took 10 s or more than 4 GiB; the program ends in order on them"
  mapfile -t found < <(find "$crashes" -type f -name 'crash-*')
  for file in "${found[@]}"; do
    # the first frames that have a name: ours come with a source file
    "$build/tests/fuzz/fuzz_$target" "$file" >"$log.one" 2>&1 || true
    if grep -aq 'runtime error' "$log.one" || ! grep -aE '^ *#[0-9]+ ' "$log.one" | head -8 | grep -q libhdf5; then
      tail -40 "$log.one"
      echo "$file: a crash that is not HDF5's"
      exit 1
    fi
    contained "$target" "$file" || exit 1
  done
  [[ ${#found[@]} -eq 0 ]] || echo "${#found[@]} crashes in HDF5, told in one line by the program"
done
