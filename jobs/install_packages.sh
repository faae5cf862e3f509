#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing, and says which: jobs/install_packages.sh PACKAGE...
# Does nothing, quickly, where all are there. Needs root or sudo only where something is missing.
set -euo pipefail

missing=()
for package in "$@"; do
  [[ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" == "install ok installed" ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ "$(id -u)" != 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing packages, and neither root nor sudo to install them: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing Debian packages: ${missing[*]}"
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}
# The package lists of a fresh machine are empty or old: fetch them only where that is what stands in the way.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install >"$log" 2>&1; then
  "${as_root[@]}" apt-get update -qq
  install >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
