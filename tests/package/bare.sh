#!/usr/bin/env bash
# A bare Debian 12 in a chroot, as strangers have it. The wheel where there is neither compiler nor FFTW; a clone by pip with
# the packages that its page names; the quickstart; the source tarball in /usr/local, used by somebody who is not root. Each
# is installed, does a job and is removed, and then every file of the system is as before: bare.sh [FOLDER with the wheel]
# Needs root, debootstrap, a clone, and what apt-get and pip fetch; takes some minutes. ctest runs it where MPIXCORR_TEST_BARE
# is set. Unoptimised, as in check_tarball.sh.
set -euo pipefail
export SKBUILD_CMAKE_BUILD_TYPE=Plain
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[[ -n ${MPIXCORR_TEST_BARE:-} ]] || { echo "skipped: MPIXCORR_TEST_BARE is not set: it takes minutes"; exit 77; }
[[ $(id -u) == 0 ]] || { echo "skipped: only root can make a chroot"; exit 77; }
[[ ${1:-} == --inside ]] || command -v debootstrap >/dev/null || { echo "skipped: no debootstrap"; exit 77; }

if [[ ${1:-} != --inside ]]; then
  work=$(mktemp -d)
  root=$work/root
  trap 'rm -rf "$work"' EXIT # what was mounted is gone with the namespace
  # shellcheck disable=SC2016  # apt-get's own, and later the inner shells'
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Release: bookworm' | head -n1)
  debootstrap --variant=minbase --include=ca-certificates,python3-venv bookworm "$root" "${mirror:-http://deb.debian.org/debian}" \
    >"$work/log" 2>&1 || { echo "skipped: debootstrap: $(tail -n1 "$work/log")"; exit 77; }
  cp -r /etc/apt/apt.conf.d "$root/etc/apt/"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  mkdir "$root/artefacts"
  (cd "$root/artefacts" && cmake -P "$top/cmake/dist.cmake")
  if [[ -n ${1:-} ]]; then cp "$1"/mpixcorr-*.whl "$root/artefacts/"; else "$top/python/wheel.sh" "$root/artefacts/wheel"; fi
  find "$root/artefacts" -name 'mpixcorr-*.whl' -exec mv -n -t "$root/artefacts" {} +
  git clone --quiet "$top" "$root/artefacts/clone"
  cp "${BASH_SOURCE[0]}" "$root/artefacts/bare.sh"
  # shellcheck disable=SC2016
  unshare --mount --pid --fork bash -c '
    for kind in proc sysfs; do mount -t $kind none "$0/${kind%fs}"; done
    mkdir -p "$0/dev/shm" && mount -t tmpfs none "$0/dev/shm"
    exec chroot "$0" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
      MPIXCORR_TEST_BARE=yes SKBUILD_CMAKE_BUILD_TYPE=Plain MPIXCORR_CMAKE_ARGS=-DCMAKE_BUILD_TYPE=Plain PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_INDEX_URL="${PIP_INDEX_URL:-https://pypi.org/simple}" \
      bash /artefacts/bare.sh --inside' "$root"
  exit
fi

system() { # its files, but for what packages' tools and caches leave
  find / -xdev '(' -path /tmp -o -path /root/.cache -o -path /artefacts -o -path /var/cache -o -path /var/log -o -path /dev ')' \
    -prune -o -print | grep -v __pycache__ | sort
}
as_before() { # WHAT
  system | diff /artefacts/before - || { echo "$1 left files behind"; exit 1; }
  echo "$1: removed, and nothing is left"
}
matches() { # PYTHON
  (cd /tmp && "$1" -c '
import numpy as np
import mpixcorr

image = np.random.default_rng(1).random((90, 100)).astype("f4")
result = mpixcorr.match([image], [image[20:50, 30:70]], [(0, 0)], min_overlap=1.0)
assert result.offsets[0].tolist() == [20, 30] and abs(result.peaks[0] - 1) < 1e-6, (result.offsets, result.peaks)')
}

echo "== the wheel"
for program in cc gcc git cmake; do ! command -v $program || { echo "not bare: it has $program"; exit 1; }; done
system >/artefacts/before
python3 -m venv /opt/wheel
/opt/wheel/bin/pip install --quiet --only-binary :all: /artefacts/mpixcorr-*.whl
matches /opt/wheel/bin/python
rm -r /opt/wheel
as_before "the wheel"

echo "== a clone, by pip"
apt-get update -qq
apt-get install -y -qq --no-install-recommends build-essential pkg-config libfftw3-dev >/dev/null
system >/artefacts/before
python3 -m venv /opt/clone
(cd /artefacts/clone && /opt/clone/bin/pip install --quiet ./python)
matches /opt/clone/bin/python
rm -r /opt/clone
as_before "the clone"

echo "== the quickstart"
(cd /artefacts/clone && bash jobs/quickstart.sh) >/artefacts/log 2>&1 || { tail -n 40 /artefacts/log; exit 1; }
grep -q '^== Done' /artefacts/log

echo "== the tarball"
useradd --create-home somebody
system >/artefacts/before
cd /tmp
tar xzf /artefacts/mpixcorr-*.tar.gz
cd mpixcorr-*/
cmake --preset default -DCMAKE_BUILD_TYPE=Plain -DBUILD_TESTING=OFF >/artefacts/log 2>&1 || { tail -n 40 /artefacts/log; exit 1; }
cmake --build --preset default >/artefacts/log 2>&1 || { tail -n 40 /artefacts/log; exit 1; }
cmake --install build >/dev/null
ldconfig
# shellcheck disable=SC2016
su - somebody -c 'set -e; cd $(mktemp -d); export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
  mpixcorr generate in.h5 --preset tiny && mpirun -n 2 mpixcorr run in.h5 out.h5 && mpixcorr info --check out.h5 &&
  mpixcorr compare out.h5 in.h5 && mpixcorr report out.h5 page.html && rm -r "$PWD" ~/.cache'
cmake --build build --target uninstall >/dev/null
ldconfig
as_before "the tarball"
