mpixcorr compare --help
