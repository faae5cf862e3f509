mpixcorr table --help
