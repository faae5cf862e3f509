mpixcorr selftest --device gpu
mpixcorr selftest --threads 0
