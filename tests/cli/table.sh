# results as rows, worst first: for people, with second peaks, and as CSV
mpixcorr generate in.h5 --preset tiny --images 2 --seed 7 >/dev/null
mpixcorr run in.h5 plain.h5 --progress none >/dev/null
mpixcorr run in.h5 quality.h5 --quality --progress none >/dev/null
mpixcorr table plain.h5
mpixcorr table quality.h5 | head -n 3
mpixcorr table quality.h5 --csv | head -n 2
mpixcorr table in.h5
