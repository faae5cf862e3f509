mpixcorr import --help
