# -q: nothing but errors and warnings
mpixcorr generate in.h5 --preset tiny -q
mpixcorr run in.h5 out.h5 --quiet --crop 40,40 --threads 1
mpixcorr run in.h5 peaks.h5 -q --threads 1
mpixcorr compare out.h5 peaks.h5 -q || echo "exit $?"
mpixcorr info --check out.h5 -q
mpixcorr info --check in.h5 -q || echo "exit $?"
mpixcorr map in.h5 out.h5 -q || echo "exit $?"
