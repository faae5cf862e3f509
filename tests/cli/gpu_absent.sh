# a GPU that is not there is an error before any work, once; why, differs from build to build
mpixcorr generate in.h5 --preset tiny --images 1 >/dev/null
why() { sed -E 's/^(mpixcorr: (rank [0-9]+ on [^:]+: )?--device gpu): .+/\1: WHY/'; }
CUDA_VISIBLE_DEVICES='' mpixcorr run in.h5 out.h5 --device gpu 2>&1 | why
echo "exit ${PIPESTATUS[0]}"
CUDA_VISIBLE_DEVICES='' ranks 2 run in.h5 out.h5 --device gpu 2>&1 >/dev/null | why
echo "exit ${PIPESTATUS[0]}"
ls
