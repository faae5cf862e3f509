# other pixels, other answers: exit 1, told on standard output
mpixcorr generate one.h5 --preset tiny --images 2 --seed 1 >/dev/null
mpixcorr generate two.h5 --preset tiny --images 2 --seed 2 >/dev/null
mpixcorr run one.h5 out1.h5 --progress none >/dev/null
mpixcorr run two.h5 out2.h5 --progress none >/dev/null
mpixcorr compare out1.h5 out2.h5 >told || echo "exit $?"
test -s told && echo told
mpixcorr compare out1.h5 two.h5 >/dev/null || echo "exit $?"
mpixcorr compare out1.h5 one.h5 >/dev/null || echo "exit $?"
