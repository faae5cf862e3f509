#!/usr/bin/env bash
# Installs a build and uses it as strangers would: by find_package and by pkg-config, from a prefix that was moved.
#   check_install.sh BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$1" --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/prefix"

if [[ -x "$1/mpixcorr" ]]; then
  program=$folder/prefix/bin/mpixcorr
  env -u LD_LIBRARY_PATH "$program" --version
  echo "== where it looks for libraries"
  runpath=$(readelf -d "$program" | sed -n 's/.*R\(UN\)\?PATH.*\[\(.*\)\]/\2/p')
  echo "$runpath"
  hdf5=$(ldd "$program" | sed -n 's/.*libhdf5[^ ]* => \([^ ]*\) .*/\1/p')
  found=no
  for path in ${runpath//:/ }; do
    [[ "$path" != "$1"* ]] || { echo "the build's folder is in the run path"; exit 1; }
    [[ ! -e "$path/libhdf5.so" && ! -e "$path/$(basename "$hdf5")" ]] || found=yes
  done
  [[ $found == yes ]] || { echo "HDF5 is not found by the run path"; exit 1; }

  echo "== job scripts: no batch system, so here"
  "$program" generate "$folder/in.h5" --preset tiny
  unset MPIXCORR_PROGRAM SLURM_JOB_ID PBS_JOBID
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  MPIXCORR_HOME=$folder/prefix MPIXCORR_INPUT=$folder/in.h5 MPIXCORR_OUTPUT=$folder/out.h5 \
    bash "$folder/prefix/share/mpixcorr/jobs/slurm/cpu.sbatch" | tee "$folder/log"
  grep -qF "$folder/prefix/bin/mpixcorr run" "$folder/log"
  "$program" compare "$folder/out.h5" "$folder/in.h5" >/dev/null
  "$folder/prefix/share/mpixcorr/jobs/submit" "$folder/in.h5" "$folder/out2.h5" --scheduler pbs --print |
    grep -F "$folder/prefix/share/mpixcorr/jobs/pbs/cpu.pbs"

  echo "== environment module"
  if [[ -e /usr/share/modules/init/bash ]]; then
    (
      set +u
      # shellcheck disable=SC1091
      source /usr/share/modules/init/bash
      module use "$folder/prefix/share/mpixcorr/modulefiles"
      module load mpixcorr
      [[ "$(command -v mpixcorr)" == "$program" && "$MPIXCORR_HOME" == "$folder/prefix" ]]
      module unload mpixcorr
      [[ -z "$MPIXCORR_HOME" ]]
    )
  else
    echo "not tried: no Environment Modules (Debian: environment-modules)"
  fi
fi

echo "== documents: no link leads nowhere"
python3 "$here/../checks/check_links.py" "$(dirname "$(find "$folder/prefix" -path '*doc/mpixcorr/README.md')")"

echo "== find_package"
cmake -S "$here/consumer" -B "$folder/build" -DCMAKE_PREFIX_PATH="$folder/prefix" >/dev/null
cmake --build "$folder/build" >/dev/null
"$folder/build/consumer"

echo "== pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$folder/prefix" -name mpixcorr.pc)")
export PKG_CONFIG_PATH
line=$(grep '^cc yours.c ' "$here/../../README.md") # as it is written there
for source in "$here/consumer/consumer.c" "$here/../../docs/example.c"; do
  (cd "$folder" && cp "$source" yours.c && env -u LD_LIBRARY_PATH bash -c "${line/#cc/cc -Wall -Wextra -Werror} && ./a.out")
done
