#!/usr/bin/env bash
# The bundle for a bare machine, on the stand-in for CUDA: made, and run to its end in a root that holds nothing but a shell,
# coreutils, libc and libstdc++; the digest by the library alone is the published one: gpu_bundle.sh SOURCE_DIR
set -euo pipefail
[[ "$(id -u)" == 0 ]] || { echo "skipped: chroot wants root"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1/bench/gpu.sh" --bundle "$folder/bundle" --stand-in
root=$folder/root
mkdir -p "$root"/{bin,tmp,dev,lib64}
cp "$(command -v dash)" "$root/bin/sh"
for tool in timeout date mkdir rm tee cat dirname env; do cp "$(command -v $tool)" "$root/bin/"; done
mapfile -t libraries < <(ldd "$root"/bin/* "$folder"/bundle/bin/* | grep -oE '/[^ ]+\.so[^ ]*' | grep -v fftw | sort -u)
cp -L --parents "${libraries[@]}" "$root"
mknod -m 666 "$root/dev/null" c 1 3 2>/dev/null || : >"$root/dev/null"
cp -r "$folder/bundle" "$root/bundle"

cd "$root"
env -i PATH=/bin PROBE_MIB=1 "$(command -v chroot)" "$root" /bundle/run.sh --seconds 8 --presets tiny --patience 400
cd "$root/bundle/results"
[[ $(find . -type f | wc -l) -le 8 ]] || { echo "more than 8 files"; exit 1; }
grep -q '^the end$' summary.txt || { echo "it did not come to its end"; exit 1; }
grep -E ': (FAILED|out of time)' summary.txt && { cat ./*.txt; exit 1; }
for step in 'conformance: proposals' 'the digest' 'rate: tiny, 8 matchers' 'cuFFT by lengths'; do
  grep -q "^$step: ok" summary.txt || { echo "$step: not ok"; exit 1; }
done
grep -q '^digest   .*, as published' selftest.txt || { cat selftest.txt; exit 1; }
grep -qE '^tiny +8 matchers .* not at their place 0, ' rates.txt || { cat rates.txt; exit 1; }
grep -qE '^columns +4374 points ' cufft.txt || { cat cufft.txt; exit 1; }
