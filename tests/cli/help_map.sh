mpixcorr map --help
