mpixcorr info --help
