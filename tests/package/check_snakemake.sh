#!/usr/bin/env bash
# The Snakemake example: no complaint but that a rule names no container, a dry run, a run, and nothing left to do.
#   check_snakemake.sh SNAKEFILE
set -euo pipefail
snakemake=${SNAKEMAKE:-snakemake}
command -v "$snakemake" >/dev/null || { echo "skipped: no snakemake"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/input"
"$MPIXCORR" generate "$folder/input/a.h5" --preset tiny --quiet
"$MPIXCORR" generate "$folder/input/b.h5" --preset tiny --seed 2 --quiet
"$snakemake" --lint --snakefile "$1" --directory "$folder" >"$folder/lint" 2>&1 || true
if grep '^    \*' "$folder/lint" | grep -v 'conda environment or container'; then exit 1; fi
flow=("$snakemake" --cores 2 --directory "$folder" --snakefile "$1" --config "mpixcorr=$MPIXCORR")
"${flow[@]}" --dry-run >"$folder/plan" 2>&1 || { cat "$folder/plan"; exit 1; }
grep -q '^match  *2$' "$folder/plan" && grep -q '^page  *2$' "$folder/plan"
"${flow[@]}" >"$folder/log" 2>&1 || { cat "$folder/log" "$folder"/logs/*; exit 1; }
"$MPIXCORR" info --check "$folder/peaks/b.h5"
[[ -s $folder/pages/a.html && -s $folder/pages/b.html ]]
"${flow[@]}" --dry-run 2>&1 | grep -q 'Nothing to be done'
