# under a launcher a usage error is printed once, and help too
ranks 3 run in.h5 || echo "exit $?"
ranks 3 || echo "exit $?"
ranks 3 run --help | grep -c "^usage"
ranks 3 --version | grep -c commit
