mpixcorr run --help
