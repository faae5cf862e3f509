#!/usr/bin/env bash
# The sources are clean to cppcheck; what is not a fault is in cppcheck.supp with its reason.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
command -v cppcheck >/dev/null || { echo "skipped: no cppcheck"; exit 77; }
cppcheck -q --enable=warning,portability --std=c11 --suppressions-list=tests/checks/cppcheck.supp --error-exitcode=1 \
  -D_GNU_SOURCE -Isrc -I. -j"$(nproc)" src mpi io
