#!/usr/bin/env bash
set -euo pipefail
# shellcheck disable=SC2086,SC2154  # both are conda-build's
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX="$PREFIX" $CMAKE_ARGS
cmake --build build
cmake --install build
