mpixcorr grid --help
