# versions differ from machine to machine: only their form is expected
mpixcorr --version | sed -E 's/[0-9]+(\.[0-9]+)+/N/g; s/commit [0-9a-f]+(-dirty)?|commit unknown/commit C/; s/(MPI  +).*/\1M/; s/(FFT  +)(fftw|mkl).*/\1F/; s/(GPU  +).*/\1G/; s/, gpu$//; s/^(built    with).*/\1 L/; /^         without/d'
