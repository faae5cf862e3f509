#!/usr/bin/env bash
# 64-bit Arm gives the digest that x86 gives: the library cross-built, its self-test run under qemu.
# With --install the packages are installed first (root, Debian). Exit 77 where they are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross libfftw3-dev:arm64 qemu-user-static)
if [[ "${1:-}" == --install ]] && ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  dpkg --add-architecture arm64
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null; } ||
    echo "the packages for Arm were not to be had"
fi
dpkg -s "${packages[@]}" >/dev/null 2>&1 || { echo "skipped: one of ${packages[*]} is missing"; exit 77; }
cmake -S . -B build-arm -G Ninja -DCMAKE_BUILD_TYPE=Release -DMPIXCORR_LIBRARY_ONLY=ON -DMPIXCORR_WERROR=ON \
  -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/toolchains/aarch64-linux-gnu.cmake" >/dev/null
cmake --build build-arm
timeout 600 qemu-aarch64-static build-arm/mpixcorr-selftest --seconds 0
