# each is one line and exit 2
try() { mpixcorr "$@" || echo "exit $?"; }
try
try correlate
try --version now
try run
try run in.h5
try run in.h5 out.h5 more.h5
try run in.h5 out.h5 --thread 1 --no-such
try run in.h5 out.h5 -x
try run in.h5 out.h5 --threads
try run in.h5 out.h5 --threads 0
try run in.h5 out.h5 --threads 2x
try run in.h5 out.h5 --threads 99999999999999999999
try run in.h5 out.h5 --threads ''
try run in.h5 out.h5 --crop 3
try run in.h5 out.h5 --crop 3,-1
try run in.h5 out.h5 --crop '3, 1'
try run in.h5 out.h5 --crop 3,4,5
try run in.h5 out.h5 --crop quarter
try run in.h5 out.h5 --min-overlap 1.5
try run in.h5 out.h5 --min-overlap nan
try run in.h5 out.h5 --outside nothing
try run in.h5 out.h5 --eps -1
try run in.h5 out.h5 --eps inf
try run in.h5 out.h5 --device tpu
try run in.h5 out.h5 --device cp
try run in.h5 out.h5 --read none
try run in.h5 out.h5 --on-bad-pair ignore
try run in.h5 out.h5 --progress=
try run in.h5 out.h5 --normalize=maybe
try run in.h5 out.h5 --report ''
try run '' out.h5
try run --help=me
ls
