# what map refuses, each by one line
mpixcorr generate in.h5 --preset tiny --images 2 --seed 7 >/dev/null
mpixcorr generate other.h5 --preset tiny --images 2 --seed 8 >/dev/null
mpixcorr run in.h5 out.h5 --progress none >/dev/null
refused() {
  mpixcorr map "$@"
  echo "exit $?"
}
refused in.h5 a.h5
refused in.h5 a.h5 --pair 1 --below 0.5
refused in.h5 a.txt --pair 1
refused in.h5 a.png --below 0.5
refused in.h5 a.h5 --below 0.5 --results out.h5
refused in.h5 a.h5 --pair 1 --results out.h5 --normalize
refused in.h5 a.h5 --pair 10
refused in.h5 a.h5 --pair 0 --crop 100,0
refused other.h5 a.h5 --pair 0 --results out.h5 2>&1 | sed 's/content [0-9a-f]*/content HEX/g'
refused in.h5 a.h5 --pair 0
refused in.h5 a.h5 --pair 0
refused in.h5 no/such/folder/a.h5 --pair 0
ls
