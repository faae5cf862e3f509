mpixcorr report --help
