#!/usr/bin/env bash
# The same bytes on every instruction set: conformance_isa.sh PROGRAM ENGINE compares the digests of all answers.
set -euo pipefail
first=
for isa in plain avx2 avx512; do
  digest=$(MPIXCORR_ISA=$isa "$1" "$2" | grep '^digest')
  echo "$isa: $digest"
  [ "${first:=$digest}" = "$digest" ] || { echo "$isa differs from plain"; exit 1; }
done
