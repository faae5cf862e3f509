#!/usr/bin/env bash
# Installs a build and uses it as strangers would: by find_package and by pkg-config, from a prefix that was moved.
#   check_install.sh BUILD_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$1" --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/prefix"
[[ ! -x "$1/mpixcorr" ]] || "$folder/prefix/bin/mpixcorr" --version

echo "== find_package"
cmake -S "$here" -B "$folder/build" -DCMAKE_PREFIX_PATH="$folder/prefix" >/dev/null
cmake --build "$folder/build" >/dev/null
"$folder/build/consumer"

echo "== pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$folder/prefix" -name mpixcorr.pc)")
export PKG_CONFIG_PATH
read -ra flags < <(pkg-config --cflags --libs mpixcorr)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir mpixcorr)
export LD_LIBRARY_PATH
for source in "$here/consumer.c" "$here/../../docs/example.c"; do
  "${CC:-cc}" -Wall -Wextra -Werror "$source" "${flags[@]}" -o "$folder/consumer"
  "$folder/consumer"
done
