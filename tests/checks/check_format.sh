#!/usr/bin/env bash
# Every C and C++ source is as clang-format 14 would write it; later versions format differently.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v clang-format-14 >/dev/null || { echo "skipped: no clang-format-14"; exit 77; }
find . '(' -path './build*' -o -path ./.git -o -path ./_work ')' -prune -o \
  -type f '(' -name '*.[ch]' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' ')' -print0 |
  xargs -0 -r clang-format-14 --dry-run --Werror
