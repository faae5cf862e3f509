#!/usr/bin/env bash
# The wheel that holds FFTW: installs where no compiler and no FFTW is seen, matches, tells its licences, and is removed
# without a trace: check_wheel.sh python/ [FOLDER with the wheel already in it]
# Skipped (77) where the packages that pip needs cannot be fetched.
set -euo pipefail
package=$1 folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" 2>/dev/null || { echo "skipped: python3 makes no virtual environment (python3-venv)"; exit 77; }
if ! "$folder/venv/bin/pip" download --quiet --retries 1 --timeout 20 --no-deps --dest "$folder" auditwheel >"$folder/log" 2>&1; then
  echo "skipped: pip cannot fetch packages: $(tail -n1 "$folder/log")"
  exit 77
fi
made=${2:-}
if [[ -z $made ]]; then
  made=$folder/made
  "$package/wheel.sh" "$made"
fi
find "$folder/venv" | grep -v __pycache__ | sort >"$folder/before"
"$folder/venv/bin/pip" install --quiet --only-binary :all: "$made"/mpixcorr-*.whl
site=$(echo "$folder"/venv/lib/python3*/site-packages)
if ldd "$site/mpixcorr/libmpixcorr.so" | grep fftw | grep -v "/mpixcorr\.libs/"; then
  echo "FFTW is not the wheel's own" >&2
  exit 1
fi
for file in LICENSE LICENSE-FFTW GPL-2; do [[ -s $(echo "$site"/mpixcorr-*.dist-info/licenses/$file) ]]; done
grep -q "^License-Expression: .*GPL" "$site"/mpixcorr-*.dist-info/METADATA
cd "$folder"
# neither compiler nor library is on the way
env -i PATH="$folder/venv/bin" HOME="$folder" "$folder/venv/bin/python" - <<'EOF'
import numpy as np
import mpixcorr

image = np.random.default_rng(1).random((90, 100))
result = mpixcorr.match([image], [image[20:50, 30:70]], [(0, 0)])
assert result.coords[0].tolist() == [49, 69] and abs(result.peaks[0] - 1) < 1e-12, (result.coords, result.peaks)
EOF
"$folder/venv/bin/pip" uninstall --quiet --yes mpixcorr numpy tqdm
find "$folder/venv" | grep -v __pycache__ | sort >"$folder/after"
diff "$folder/before" "$folder/after"
