#!/usr/bin/env bash
# From a fresh Debian 12 machine to checked results: installs what is missing, builds into build/, makes an EM-like
# sample, runs the main job on all cores of this machine, compares its peaks with the known answers, and draws a match.
# As root, or as a user with sudo. Running it again is quick.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s\n' "$*"; }

step "Packages"
mapfile -t packages <jobs/build_packages.txt
jobs/install_packages.sh "${packages[@]}"
echo "All there: ${packages[*]}"

step "Build into build/"
read -ra cmake_args <<<"${MPIXCORR_CMAKE_ARGS:-}"
cmake --preset default "${cmake_args[@]}" >build-quickstart.log 2>&1 || { cat build-quickstart.log >&2; exit 1; }
rm -f build-quickstart.log
cmake --build --preset default --target mpixcorr

work=_work/quickstart
input=$work/sample.h5
output=$work/peaks.h5
ranks=$(nproc)
mkdir -p "$work"

# One rank a core of this machine, whatever it calls a slot; mpirun refuses root unless told twice.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
if [[ "$(id -u)" == 0 ]]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
# Containers forbid the one system call by which ranks could read each other's memory.
export OMPI_MCA_btl_vader_single_copy_mechanism=none

run() {
  printf '$ %s\n' "$*"
  "$@"
}

step "A sample with known answers: 12 images of 681x782, 5 templates of 340x391 each"
rm -f "$input"
run build/mpixcorr generate "$input" --preset stitch2d --images 12 --seed 1

step "The job, on $ranks ranks"
run mpirun -n "$ranks" build/mpixcorr run "$input" "$output" --overwrite --report "$work/report.json"

step "The peaks against the known answers"
run build/mpixcorr info "$output" --check
run build/mpixcorr compare "$output" "$input"

step "The worst of the matches, as a picture"
worst=$(build/mpixcorr table "$output" --csv | sed -n '2s/,.*//p')
run build/mpixcorr map "$input" "$work/worst.png" --pair "$worst" --overwrite

cat <<EOT

== Done
The match with the lowest peak is drawn in $work/worst.png; the results are in $output.
To look at them (the last with python3-h5py):
  build/mpixcorr table $output
  build/mpixcorr info $output
  h5dump -d /coords -d /peaks $output
  python3 -c "import h5py; f = h5py.File('$output'); print(f['coords'][:5], f['peaks'][:5])"
EOT
