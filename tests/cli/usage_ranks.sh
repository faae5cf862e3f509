# under a launcher a usage error of `run` is printed once, and its help too; other commands speak in every process
ranks 3 run in.h5 || echo "exit $?"
ranks 3 run --help | grep -c "^usage"
ranks 3 --version | grep -c commit
