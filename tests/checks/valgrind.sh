#!/usr/bin/env bash
# A small run on 1, 2 and 3 ranks, rank 0 or all reading, a stop and a resumed run, under valgrind: no error, no leak of our
# own. Exit 77 where there is no valgrind.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export MPIXCORR=${MPIXCORR:-$here/../../build/mpixcorr} MPIEXEC=${MPIEXEC:-$here/../common/bin/mpirun}
command -v valgrind >/dev/null || { echo "skipped: no valgrind"; exit 77; }
export MPIXCORR_ISA=avx2 # valgrind knows no AVX-512

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export NCC_SESSIONS=$folder XDG_CACHE_HOME=$folder
"$MPIXCORR" generate in.h5 --preset tiny >/dev/null
"$MPIXCORR" run in.h5 reference.h5 --progress none >/dev/null

checked() { # EXIT CODE, RANKS, OPTIONS
  local code=0 expected=$1 ranks=$2
  shift 2
  "$MPIEXEC" -n "$ranks" valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite --suppressions="$here/valgrind.supp" --log-file="valgrind.%p.log" \
    "$MPIXCORR" run in.h5 out.h5 --progress none "$@" >log 2>&1 || code=$?
  if [[ $code -ne $expected ]]; then
    cat log valgrind.*.log
    echo "$ranks ranks $*: exit $code, expected $expected"
    exit 1
  fi
  rm -f valgrind.*.log
}

checked 0 1 --threads 2 --quality
checked 0 3 --overwrite --threads 1 --read all --no-group
rm out.h5
checked 75 2 --threads 1 --time-limit 0.001
checked 0 2 --resume --threads 1
"$MPIXCORR" compare reference.h5 out.h5 >/dev/null
echo "no error"
