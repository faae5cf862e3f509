#!/usr/bin/env bash
# The Python package makes a source distribution that holds all it needs, and one pip command installs that into a fresh
# environment on a machine without MPI and HDF5, and it works: check_install.sh python/ VENV
# MPI and HDF5 are hidden in a mount namespace of this script's own, where the system allows one. Skipped (77) where the
# packages that pip needs cannot be fetched.
set -euo pipefail
package=$1 venv=$2

if [[ -z ${MPIXCORR_HIDDEN:-} ]]; then
  for how in "unshare --mount" "unshare --mount --map-root-user"; do
    read -ra words <<<"$how"
    if "${words[@]}" true 2>/dev/null; then
      MPIXCORR_HIDDEN=yes exec "${words[@]}" "${BASH_SOURCE[0]}" "$@"
    fi
  done
  echo "MPI and HDF5 stay visible: this system allows no mount namespace."
else
  while read -r folder; do
    mount -t tmpfs none "$folder"
    echo "hidden: $folder"
  done < <(find -L /usr/include /usr/lib /usr/local -maxdepth 6 '(' -name mpi.h -o -name hdf5.h ')' -printf '%h\n' \
    2>/dev/null | xargs -r realpath | grep -vxE '/usr(/local)?/include' | sort -u)
fi

rm -rf "$venv"
python3 -m venv "$venv" 2>/dev/null || { echo "skipped: python3 makes no virtual environment (python3-venv)"; exit 77; }
if ! "$venv/bin/pip" download --quiet --retries 1 --timeout 20 --no-deps --dest "$venv/reached" scikit-build-core pytest \
  >"$venv/log" 2>&1; then
  echo "skipped: pip cannot fetch packages: $(tail -n1 "$venv/log")"
  exit 77
fi
"$venv/bin/pip" install --quiet build
"$venv/bin/python" -m build --sdist --outdir "$venv/dist" "$package" >"$venv/log" 2>&1 || { cat "$venv/log"; exit 1; }
if tar tvzf "$venv"/dist/mpixcorr-*.tar.gz | grep '^l'; then
  echo "the source distribution holds links, which lead nowhere elsewhere" >&2
  exit 1
fi
"$venv/bin/pip" install --quiet "$venv"/dist/mpixcorr-*.tar.gz
if ldd "$venv"/lib/python3*/site-packages/mpixcorr/libmpixcorr.so | grep -E 'libmpi|libhdf5|not found'; then
  echo "the installed libmpixcorr.so needs what is not there" >&2
  exit 1
fi
cd "$venv"
unset MPIXCORR MPIXCORR_LIBRARY PYTHONPATH # the installed package, not a build
"$venv/bin/python" -c 'import mpixcorr; print("installed:", mpixcorr.__version__, mpixcorr.__file__)'
"$venv/bin/pip" install --quiet pytest h5py
"$venv/bin/python" -m pytest -q -p no:cacheprovider -rs -c "$package/pyproject.toml" "$package/tests"
