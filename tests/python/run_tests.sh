#!/usr/bin/env bash
# The Python package's tests, from its sources, with the distribution's Python: run_tests.sh python/ libmpixcorr.so
set -euo pipefail
python=/usr/bin/python3
[[ -x $python ]] || python=python3
for module in numpy tqdm pytest; do
  "$python" -c "import $module" 2>/dev/null || { echo "skipped: $python has no module $module"; exit 77; }
done
export MPIXCORR_LIBRARY=$2 PYTHONPATH=$1 PYTHONDONTWRITEBYTECODE=1
exec "$python" -m pytest -q -p no:cacheprovider -rs "$1"
