mpixcorr selftest --help
