#!/usr/bin/env bash
# The source tarball: builds without git, installs, does a job, and is removed without a trace. Its recipes name it; that of
# conda builds and tests it here, with Debian's packages in place of conda-forge's.
#   check_tarball.sh SOURCE_DIR
# Unoptimised: that takes a quarter of the time, and what is asked is how parts fit together.
set -euo pipefail
git -C "$1" rev-parse HEAD >/dev/null 2>&1 || { echo "skipped: no clone"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cmake -P "$1/cmake/dist.cmake"
sha256sum --check mpixcorr-*.tar.gz.sha256
version=$(sed -n 's/^project(mpixcorr VERSION \([0-9.]*\).*/\1/p' "$1/CMakeLists.txt")
grep -q "version(\"$version\", sha256=\"$(cut -c1-64 mpixcorr-*.sha256)\"" spack/packages/mpixcorr/package.py
python3 -m py_compile spack/packages/mpixcorr/package.py
grep -q "sha256: $(cut -c1-64 mpixcorr-*.sha256)" conda/meta.yaml
[[ $(grep -c "^version: $version$" "$1/CITATION.cff") == 1 ]]

tar xzf mpixcorr-*.tar.gz
mkdir bin # a PATH without git
for program in /usr/local/bin/* /usr/bin/*; do
  [[ $program == */git ]] || ln -sf "$program" bin/
done
export PATH=$folder/bin
unset GIT_DIR
! command -v git || exit 1
cd "mpixcorr-$version"
cmake -S . -B build -G Ninja -DBUILD_TESTING=OFF >"$folder/log" || { cat "$folder/log"; exit 1; }
if cmake --install build --prefix "$folder/prefix" >"$folder/log" 2>&1; then
  echo "it installed what was not built"
  exit 1
fi
grep -q "nothing is built" "$folder/log"
PREFIX=$folder/prefix CMAKE_ARGS=-DCMAKE_BUILD_TYPE=Plain bash "$folder/conda/build.sh" >"$folder/log" ||
  { tail -n 40 "$folder/log"; exit 1; }

echo "== installed"
program=$folder/prefix/bin/mpixcorr
commit=$(/usr/bin/git -C "$1" rev-parse HEAD)
"$program" --version | tee "$folder/version"
told=$(sed -n 's/.*(commit \([0-9a-f]*\),.*/\1/p' "$folder/version")
[[ ${#told} -ge 7 && $commit == "$told"* ]]
mkdir "$folder/work"
(
  cd "$folder/work"
  PATH=$folder/prefix/bin:$PATH
  sed -n '/^  commands:/,/^$/s/^    - //p' "$folder/conda/meta.yaml" >commands
  grep -q '^mpixcorr run' commands
  bash -ex commands
  "$MPIEXEC" -n 2 mpixcorr run in.h5 again.h5 --progress none
  mpixcorr compare again.h5 out.h5
)
touch "$folder/prefix/bin/of_others"

echo "== removed"
cmake --build build --target uninstall >/dev/null
[[ $(cd "$folder/prefix" && find . | sort | tr '\n' ' ') == ". ./bin ./bin/of_others " ]] || { find "$folder/prefix"; exit 1; }

echo "== in the system's folders"
export DESTDIR=$folder/system
cmake --install build --prefix /usr/local >/dev/null
cmake --build build --target uninstall >/dev/null
[[ $(cd "$DESTDIR/usr/local" && find . -mindepth 1 | sort | tr '\n' ' ') == "./bin ./include ./lib ./share ./share/man " ]] ||
  { find "$DESTDIR"; exit 1; }
