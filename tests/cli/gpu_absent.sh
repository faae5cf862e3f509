# a GPU that is not there is an error before any work, once
mpixcorr generate in.h5 --preset tiny --images 1 >/dev/null
CUDA_VISIBLE_DEVICES='' mpixcorr run in.h5 out.h5 --device gpu | head -n0
echo "exit ${PIPESTATUS[0]}"
CUDA_VISIBLE_DEVICES='' ranks 2 run in.h5 out.h5 --device gpu >/dev/null || echo "exit $?"
ls
