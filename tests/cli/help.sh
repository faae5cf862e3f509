mpixcorr --help
