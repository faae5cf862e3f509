#!/usr/bin/env bash
# The man page has every command and option that --help has and all that the environment may say; and groff, where it is there, finds no fault in it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$MPIXCORR" --man >"$folder/page.1"

bad=0
want() {
  grep -qF -- "$1" "$folder/page.1" || { echo "the man page lacks $1"; bad=1; }
}
sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mapfile -t commands < <("$MPIXCORR" --help | sed -n '/^this program/q; s/^  \([a-z]\+\) .*/\1/p')
((${#commands[@]} >= 4)) || { echo "only ${#commands[@]} commands in --help"; bad=1; }
for command in "${commands[@]}"; do
  want ".SS \"mpixcorr $command "
  mapfile -t options < <("$MPIXCORR" "$command" --help | sed -n 's/^  \(-[a-z], \)\?--\([a-z-]*\).*/\2/p')
  for option in "${options[@]}"; do
    [[ $option =~ ^(help|quiet)$ ]] || want "\\fB\\-\\-${option//-/\\-}\\fR"
  done
done
# every variable that the sources ask for, but what launchers and batch systems set for us
mapfile -t variables < <(grep -rhoE 'getenv\("[A-Z0-9_]+"' "$sources"/{src,io,mpi,gpu} | sed 's/.*"\(.*\)"/\1/' |
  grep -vE '^(SLURM|PBS|OMPI|PMI|TERM$)' | sort -u)
((${#variables[@]} >= 5)) || { echo "only ${#variables[@]} variables in the sources"; bad=1; }
for variable in "${variables[@]}"; do want "$variable"; done
for section in EXAMPLES ENVIRONMENT "EXIT STATUS" "SEE ALSO"; do want ".SH $section"; done
for code in 0 1 2 3 4 5 6 75; do want "\\fB$code\\fR"; done

if command -v groff >/dev/null; then
  groff -man -Tutf8 -ww -z "$folder/page.1" 2>"$folder/faults"
  cat "$folder/faults"
  [[ ! -s $folder/faults ]] || bad=1
fi
exit $bad
