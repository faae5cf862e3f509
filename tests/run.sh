#!/usr/bin/env bash
# Installs what is missing, builds into build/, and runs every test: tests/run.sh [ctest arguments]
# Real EM data is tested where MPIXCORR_TEST_DATA names its folder; MPIXCORR_CMAKE_ARGS go to cmake.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t packages < <(cat jobs/build_packages.txt tests/packages.txt)
jobs/install_packages.sh "${packages[@]}"

read -ra cmake_args <<<"${MPIXCORR_CMAKE_ARGS:-}"
cmake --preset default "${cmake_args[@]}"
cmake --build --preset default
[[ -n "${MPIXCORR_TEST_DATA:-}" ]] || echo "MPIXCORR_TEST_DATA is not set: tests on real EM data are skipped."
ctest --preset default --parallel "$(nproc)" "$@"
