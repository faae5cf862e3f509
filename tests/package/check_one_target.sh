#!/usr/bin/env bash
# The target mpixcorr builds every file that is installed, so that
# `cmake --build BUILD --target mpixcorr && cmake --install BUILD` works: check_one_target.sh BUILD_DIR
set -euo pipefail
cd "$1"
[[ -e build.ninja ]] || { echo "skipped: only Ninja tells what a target builds"; exit 77; }
commands=$(ninja -t commands mpixcorr)
built=0
while read -r file; do
  ninja -t query "$file" >/dev/null 2>&1 || continue # not made by building, but by configuring
  grep -qF -- "$file" <<<"$commands" || { echo "$file is installed, but the target mpixcorr does not build it"; exit 1; }
  built=$((built + 1))
done < <(grep -rhoE "\"$PWD/[^\";]+\"" --include=cmake_install.cmake . | tr -d '"' | sed "s|^$PWD/||" | sort -u)
((built >= 3)) || { echo "only $built files that are built and installed were found"; exit 1; }
echo "$built files"
