#!/usr/bin/env bash
# bench/run.sh works, from its inputs to its tables and charts, with the peers that this Python has: check_run.sh BUILD PYTHON
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export MPIXCORR_BUILD=$1 PYTHON=$2
"$PYTHON" -c 'import h5py, matplotlib, scipy' 2>/dev/null || { echo "skipped: $PYTHON lacks h5py, matplotlib or scipy"; exit 77; }

told=$(bench/run.sh --trial)
for line in '^mpixcorr.s answers: 20 of 20 known places found' '^| mpixcorr | FFTW | 1 |' '^| scipy | grouped | 1 | .* | \([1-9][0-9]*\) of \1 |' \
  '^| FFT floor |' '^| as generated, 8-bit | 3 of 3 |' '^| 256², 32² |' 'performance_count.svg'; do
  grep -q -- "$line" <<<"$told" || { echo "no line '$line' in"; echo "$told"; exit 1; }
done
told=$(bench/run.sh matrix --trial)
grep -q '^4 cells, behind the best peer' <<<"$told" || { echo "$told"; exit 1; }
