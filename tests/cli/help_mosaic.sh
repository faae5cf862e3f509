mpixcorr mosaic --help
