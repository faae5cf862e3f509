mpixcorr generate --help
