#!/usr/bin/env bash
# The Python package as a source distribution and, built of that, as a wheel that holds FFTW; made where there is neither MPI
# nor HDF5. The wheel installs where no compiler and no FFTW is seen, tells its licences, passes the package's tests, and is
# removed without a trace. So does a clone, by one pip command: check_wheel.sh python/ [FOLDER with both already in it]
# MPI and HDF5 are hidden in a mount namespace of this script's own, where the system allows one. Skipped (77) where the
# packages that pip needs cannot be fetched. The library is built unoptimised: that takes a quarter of the time.
set -euo pipefail
package=$1 made=${2:-}

if [[ -z ${MPIXCORR_HIDDEN:-} ]]; then
  for how in "unshare --mount" "unshare --mount --map-root-user"; do
    read -ra words <<<"$how"
    if "${words[@]}" true 2>/dev/null; then
      MPIXCORR_HIDDEN=yes exec "${words[@]}" "${BASH_SOURCE[0]}" "$@"
    fi
  done
  echo "MPI and HDF5 stay visible: this system allows no mount namespace."
else
  while read -r hidden; do
    mount -t tmpfs none "$hidden"
    echo "hidden: $hidden"
  done < <(find -L /usr/include /usr/lib /usr/local -maxdepth 6 '(' -name mpi.h -o -name hdf5.h ')' -printf '%h\n' \
    2>/dev/null | xargs -r realpath | grep -vxE '/usr(/local)?/include' | sort -u)
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=$folder/venv pip=$folder/venv/bin/pip
export SKBUILD_CMAKE_BUILD_TYPE=Plain PIP_DISABLE_PIP_VERSION_CHECK=1
python3 -m venv "$venv" 2>/dev/null || { echo "skipped: python3 makes no virtual environment (python3-venv)"; exit 77; }
if ! "$pip" install --quiet --retries 1 --timeout 20 numpy tqdm pytest h5py >"$folder/log" 2>&1; then
  echo "skipped: pip cannot fetch packages: $(tail -n1 "$folder/log")"
  exit 77
fi
content() { find "$venv" | grep -v __pycache__ | sort; }
content >"$folder/before"
removed() {
  "$pip" uninstall --quiet --yes mpixcorr
  content | diff "$folder/before" -
}

if [[ -z $made ]]; then
  made=$folder/made
  "$package/wheel.sh" "$made"
fi
if tar tvzf "$made"/mpixcorr-*.tar.gz | grep '^l'; then
  echo "the source distribution holds links, which lead nowhere elsewhere" >&2
  exit 1
fi

echo "== the wheel"
"$pip" install --quiet --only-binary :all: "$made"/mpixcorr-*.whl
site=$(echo "$venv"/lib/python3*/site-packages)
if ldd "$site/mpixcorr/libmpixcorr.so" | grep -E 'fftw|libmpi|libhdf5|not found' | grep -v "/mpixcorr\.libs/"; then
  echo "its library needs what is not its own" >&2
  exit 1
fi
for file in LICENSE LICENSE-FFTW GPL-2; do [[ -s $(echo "$site"/mpixcorr-*.dist-info/licenses/$file) ]]; done
grep -q "^License-Expression: .*GPL" "$site"/mpixcorr-*.dist-info/METADATA
cd "$folder"
# the installed package, not a build's; neither compiler nor library is on the way
env -i PATH="$venv/bin" HOME="$folder" TMPDIR="${TMPDIR:-/tmp}" \
  "$venv/bin/python" -m pytest -q -p no:cacheprovider -rs -c "$package/pyproject.toml" "$package/tests"
removed

echo "== a clone"
"$pip" install --quiet "$package"
env -i PATH="$venv/bin" HOME="$folder" "$venv/bin/python" - <<'EOF'
import numpy as np
import mpixcorr

image = np.random.default_rng(1).random((90, 100))
result = mpixcorr.match([image], [image[20:50, 30:70]], [(0, 0)])
assert result.coords[0].tolist() == [49, 69] and abs(result.peaks[0] - 1) < 1e-12, (result.coords, result.peaks)
print("installed:", mpixcorr.__version__, mpixcorr.__file__)
EOF
removed
