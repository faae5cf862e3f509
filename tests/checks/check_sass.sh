#!/usr/bin/env bash
# What nvcc makes of the kernels for sm_90 and sm_100 (no GPU needed): tests/checks/check_sass.sh
# Products are read and written 16 bytes at a time, nothing but atomics is ordered over the whole device, no kernel divides
# 64-bit integers by software. Prints instructions, registers and accesses of each kernel. Needs nvcc and nvdisasm
# ($NVDISASM; PyPI has it as nvidia-cuda-nvdisasm); exit 77 without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"
nvdisasm=${NVDISASM:-$(command -v nvdisasm || true)}
command -v nvcc >/dev/null || { echo "skipped: no nvcc"; exit 77; }
[[ -x "$nvdisasm" ]] || { echo "skipped: no nvdisasm"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
fail() { echo "FAILED: $*" >&2; failed=1; }

for arch in ${SASS_ARCHITECTURES:-90 100}; do
  for file in gpu/*.cu; do
    name=$folder/$(basename "$file" .cu).$arch
    nvcc -std=c++17 -O3 -arch=sm_"$arch" -cubin -I. -Isrc -Xptxas=-v -o "$name.cubin" "$file" 2>"$name.ptxas"
    "$nvdisasm" -c "$name.cubin" >"$name.sass"
    grep -oE "function '[^']+'|Used [0-9]+ registers" "$name.ptxas" | paste - - >>"$folder/registers.$arch"
  done
  # a line a kernel: name, instructions, 16-, 8- and 4-byte accesses of global memory, atomics, calls
  awk '/^\.text\./ {kernel = $1; sub(/^\.text\./, "", kernel); sub(/:$/, "", kernel)}
       /^ +\/\*[0-9a-f]+\*\// {all[kernel]++; if (/CALL/) calls[kernel]++
         if (/(LDG|STG)/) { if (/\.128/) wide[kernel]++; else if (/\.64/) eight[kernel]++; else rest[kernel]++ }
         if (/ATOM|RED\.|REDG/) atomics[kernel]++ }
       END {for (k in all) print k, all[k], wide[k] + 0, eight[k] + 0, rest[k] + 0, atomics[k] + 0, calls[k] + 0}' \
    "$folder"/*."$arch".sass | sort >"$folder/kernels.$arch"
  echo "sm_$arch: kernel, instructions, accesses of 16, 8 and fewer bytes, atomics, calls; registers"
  while read -r kernel rest; do
    echo "  $kernel $rest; $(grep -F "'$kernel'" "$folder/registers.$arch" | grep -oE '[0-9]+ registers' || true)"
  done <"$folder/kernels.$arch"
  [[ $(wc -l <"$folder/kernels.$arch") -ge 11 ]] || fail "sm_$arch: not all kernels were found"
  awk '/multiply_kernel/ && ($4 > 0 || $3 < 4)' "$folder/kernels.$arch" | grep . && fail "sm_$arch: products by fewer than 16 bytes"
  grep -hE 'STRONG' "$folder"/*."$arch".sass | grep -vE 'ATOM|RED' && fail "sm_$arch: an ordered access that is no atomic"
  grep -hE 'CALL.*cuda_sm20_(div|rem)_[us]64' "$folder"/*."$arch".sass && fail "sm_$arch: a 64-bit division"
done
exit $failed
