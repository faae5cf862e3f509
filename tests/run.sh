#!/usr/bin/env bash
# Installs what is missing, builds into build/, and tests: tests/run.sh [--all] [ctest arguments]
# Without --all the tests with the label `full` are left out: linters, other builds, fuzzing, clusters, rare faults.
# Real EM data is tested where MPIXCORR_TEST_DATA names its folder; MPIXCORR_CMAKE_ARGS go to cmake.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passes=(quick rest)
lists=(jobs/build_packages.txt tests/packages.txt)
if [[ "${1:-}" == --all ]]; then
  passes+=(full)
  lists+=(tests/packages_full.txt)
  shift
fi
mapfile -t packages < <(cat "${lists[@]}")
jobs/install_packages.sh "${packages[@]}"

read -ra cmake_args <<<"${MPIXCORR_CMAKE_ARGS:-}"
cmake --preset default "${cmake_args[@]}"
cmake --build --preset default

log=build/Testing/Temporary
rm -rf build/tests/run "$log"
red='' skipped='' failed=no
tests() { # PASS CTEST-ARGUMENTS...
  local -A labels=([quick]='-L ^quick$' [rest]='-LE ^(quick|full)$' [full]='-L ^full$')
  read -ra chosen <<<"${labels[$1]}"
  ctest --preset default "${chosen[@]}" "${@:2}"
}
for pass in "${passes[@]}"; do # quick ones first; slots as in tests/register.cmake
  rm -f "$log"/LastTest*
  tests "$pass" --parallel $((6 * $(nproc) + 3)) --no-tests=ignore "$@" || failed=yes
  [[ ! -s $log/LastTestsFailed.log ]] || red+=$(cut -d: -f2 "$log/LastTestsFailed.log")$'\n'
  [[ ! -e $log/LastTest.log ]] || skipped+=$(grep -aE '^skipped: ' "$log/LastTest.log" | sort -u || true)$'\n'
done

echo
times >"$log/times" # of this shell's children; in a pipe it would be another's
awk 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); s += 60 * t[1] + t[2] }
  printf "Took %.1f minutes of processor time", s / 60 }' "$log/times"
printf ' in %d:%02d.\n' $((SECONDS / 60)) $((SECONDS % 60))
skipped=$(sort -u <<<"$skipped" | sed '/^$/d')
[[ -z "$skipped" ]] || echo "$skipped"
[[ -n "${MPIXCORR_TEST_DATA:-}" ]] || echo "Left out: real EM data, as MPIXCORR_TEST_DATA names no folder."
if [[ " ${passes[*]} " != *full* ]]; then
  left_out=$(tests full -N | sed -n 's/^Total Tests: //p')
  echo "Left out: $left_out tests of other builds, linters, fuzzing, clusters and rare faults: tests/run.sh --all"
fi
if [[ $failed == yes ]]; then
  echo "Red. To see one alone:"
  for name in $red; do echo "  ctest --preset default -R '^$name\$'"; done
  exit 1
fi
echo "Green."
