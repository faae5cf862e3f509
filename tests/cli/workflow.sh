# generate, run, check, compare: what the quickstart does
mpixcorr generate in.h5 --preset tiny --images 3 --seed 7 >/dev/null || echo "generate: exit $?"
mpixcorr run in.h5 alone.h5 --progress none >/dev/null || echo "run: exit $?"
ranks 3 run in.h5 three.h5 --progress none >/dev/null || echo "run on 3 ranks: exit $?"
mpixcorr info alone.h5 --check >/dev/null || echo "check: exit $?"
mpixcorr compare alone.h5 in.h5 >/dev/null || echo "compare with the known answers: exit $?"
mpixcorr compare alone.h5 three.h5 --peak-tolerance 0 >/dev/null || echo "compare with each other: exit $?"
ls
