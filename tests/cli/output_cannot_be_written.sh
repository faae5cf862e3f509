# a full standard output is an error of its own, not silence
mpixcorr --help >/dev/full
