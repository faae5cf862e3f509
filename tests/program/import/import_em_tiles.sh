#!/usr/bin/env bash
# Real tiles with boxes for templates and a search window for every pair, from a CSV file: every coordinate is that of the
# float64 map of its window, every peak within 1e-6: import_em_tiles.sh [DATA]
set -euo pipefail
tiles=${1:-${MPIXCORR_TEST_DATA:-}}/em_tiles
if [[ ! -d $tiles ]]; then
  echo "skipped: MPIXCORR_TEST_DATA names no folder with em_tiles"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The known answers are of the valid mode in a window of image A: x, y, w, h of window and template, then the peak.
awk -F, 'BEGIN { print "image,template,y,x,rows,cols,y0,x0,y1,x1,expected_y,expected_x,expected_peak" }
  NR > 1 { bottom = $4 + $10 - 1; right = $3 + $9 - 1
    print $1 "," $2 "," $8 "," $7 "," $10 "," $9 "," bottom "," right "," $4 + $6 "," $3 + $5 "," \
      bottom + $12 "," right + $11 "," $13 }' "$tiles/expected.csv" >"$folder/pairs.csv"
"$MPIXCORR" import "$tiles" "$folder/tiles.h5" --pairs "$folder/pairs.csv"
"$MPIXCORR" run "$folder/tiles.h5" "$folder/peaks.h5" --progress none
"$MPIXCORR" compare "$folder/peaks.h5" "$folder/tiles.h5" --peak-tolerance 1e-6 | tee "$folder/words"
grep -q 'coordinates  60 of 60 equal' "$folder/words"
