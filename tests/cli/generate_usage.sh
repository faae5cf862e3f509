# values that generate does not take: one line, exit 2, and no file
try() { mpixcorr generate "$@" || echo "exit $?"; }
try
try a.h5 --preset stitch
try a.h5 --images 0
try a.h5 --images 1.5
try a.h5 --templates -3
try a.h5 --seed -1
try a.h5 --dtype f8
try a.h5 --noise 16
try a.h5 --noise nan
try a.h5 --preset sweep --subpixel-shift
ls
