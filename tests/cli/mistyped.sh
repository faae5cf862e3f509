# the nearest known word is named, where one is near enough to have been meant
try() { mpixcorr "$@" || echo "exit $?"; }
try tabel
try Info
try help genrate
try correlate
try run in.h5 out.h5 --thraeds=3
try run in.h5 out.h5 --re 3
try run in.h5 out.h5 --nonsense
try table out.h5 --cvs
