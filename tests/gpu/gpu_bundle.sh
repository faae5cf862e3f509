#!/usr/bin/env bash
# The bundle for a bare machine, on the stand-in for CUDA: made from a copy of what is under version control, and run to its
# end in a root that holds nothing but a shell, coreutils, libc and libstdc++: gpu_bundle.sh SOURCE_DIR
# Of the conformance programs only one, as all are tests of their own; the digest is the published one.
set -euo pipefail
enter=(chroot)
[[ "$(id -u)" == 0 ]] || enter=(unshare --user --map-root-user chroot)
"${enter[@]}" / true 2>/dev/null || { echo "skipped: neither chroot nor user namespaces are allowed"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/source"
git -C "$1" ls-files -z 2>/dev/null >"$folder/files" || { echo "skipped: the sources are not under version control"; exit 77; }
# What has been deleted but not yet committed is listed too.
(cd "$1" && tar --ignore-failed-read -c --null -T "$folder/files") 2>/dev/null | tar -x -C "$folder/source"
bundle=$folder/source/bundle root=$folder/root
export CCACHE_BASEDIR=$folder/source CCACHE_NOHASHDIR=1 # what has been compiled elsewhere is known again, with ccache
"$folder/source/bench/gpu.sh" --bundle "$bundle" --stand-in
mkdir -p "$root"/{bin,tmp,dev,lib64}
cp "$(command -v dash)" "$root/bin/sh"
for tool in timeout date mkdir rm tee cat dirname env; do cp "$(command -v $tool)" "$root/bin/"; done
mapfile -t libraries < <(ldd "$root"/bin/* "$bundle"/bin/* | grep -oE '/[^ ]+\.so[^ ]*' | grep -v fftw | sort -u)
cp -L --parents "${libraries[@]}" "$root"
mknod -m 666 "$root/dev/null" c 1 3 2>/dev/null || : >"$root/dev/null"
cp -r "$bundle" "$root/bundle"

cd "$root"
env -i PATH=/bin PROBE_MIB=1 "$(command -v "${enter[0]}")" "${enter[@]:1}" "$root" /bundle/run.sh --seconds 8 --presets tiny \
  --behaviours proposals --patience 400
cd "$root/bundle/results"
[[ $(find . -type f | wc -l) -le 8 ]] || { echo "more than 8 files"; exit 1; }
grep -q '^the end$' summary.txt || { echo "it did not come to its end"; exit 1; }
grep -E ': (FAILED|out of time)' summary.txt && { cat ./*.txt; exit 1; }
for step in 'the kernels' 'conformance: proposals' 'the digest' 'rate: tiny, 8 matchers' 'cuFFT by lengths'; do
  grep -q "^$step: ok" summary.txt || { echo "$step: not ok"; exit 1; }
done
grep -q '^digest   .*, as published' selftest.txt || { cat selftest.txt; exit 1; }
grep -qE '^tiny +8 matchers .* not at their place 0, ' rates.txt || { cat rates.txt; exit 1; }
grep -qE '^quarters +1152 points ' cufft.txt || { cat cufft.txt; exit 1; }
