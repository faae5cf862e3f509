# an existing output, or a part of one, is never replaced unasked
mpixcorr generate in.h5 --preset tiny --images 1 >/dev/null
echo precious >out.h5
mpixcorr run in.h5 out.h5 || echo "exit $?"
ranks 2 run in.h5 out.h5 || echo "exit $?"
cat out.h5
mpixcorr run in.h5 out.h5 --overwrite --progress none >/dev/null || echo "exit $?"
mpixcorr info out.h5 --check >/dev/null || echo "exit $?"
echo part >other.h5.part
mpixcorr run in.h5 other.h5 || echo "exit $?"
mpixcorr run in.h5 no/such/folder/out.h5 || echo "exit $?"
ls
