# info --check is 0 for a complete output only
mpixcorr generate in.h5 --preset tiny --images 1 >/dev/null
mpixcorr info in.h5 --check >/dev/null || echo "an input: exit $?"
mpixcorr info none.h5 --check || echo "no file: exit $?"
echo text >text.h5
mpixcorr info text.h5 --check || echo "a text file: exit $?"
mpixcorr run in.h5 out.h5 --progress none >/dev/null
mpixcorr info out.h5 --check >/dev/null || echo "an output: exit $?"
