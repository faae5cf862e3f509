#!/usr/bin/env bash
# The sources of the core, io/ and mpi/ are clean to clang-tidy 14 as .clang-tidy configures it. About a minute of processor
# time. Exit 77 where there is no clang-tidy-14.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v clang-tidy-14 >/dev/null || { echo "skipped: no clang-tidy-14"; exit 77; }
CC=clang cmake -S . -B build-tidy -G Ninja -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DBUILD_TESTING=OFF >/dev/null
cmake --build build-tidy --target ncc_commit >/dev/null
find src io mpi -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p build-tidy
echo "clean"
