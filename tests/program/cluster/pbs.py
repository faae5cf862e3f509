#!/usr/bin/env python3
"""The job scripts of jobs/pbs in an environment as OpenPBS's manual describes it, with stand-ins for its commands.

No PBS has run them. pbs.py CASE
"""
import os
import re
import signal
import subprocess
import sys
import tempfile

from cluster_common import (FOLDER, INPUT, MPIXCORR, PATIENCE_S, TOP, complete_and_same, make_input, rows_done, wait_until)

JOBS = os.path.join(TOP, "jobs")
OUTPUT = "peaks.h5"
QSTAT = """Job Id: 7.server
    Job_Name = mpixcorr
    Resource_List.ncpus = 2
    Resource_List.walltime = {walltime}
    substate = 42
"""


class Job:
    """A script as PBS would start it: in the home folder, told of hosts by a file and of little else."""

    def __init__(self, script="cpu.pbs", walltime="04:00:00", **settings):
        with open("stub/qstat.txt", "w", encoding="ascii") as file:
            file.write(QSTAT.format(walltime=walltime))
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "PBS"))}
        env.update({"PATH": os.path.abspath("stub") + ":" + env["PATH"], "PBS_JOBID": "7.server",
                    "PBS_O_WORKDIR": os.getcwd(), "PBS_NODEFILE": os.path.abspath("nodes"), "NCPUS": "1",
                    "OMP_NUM_THREADS": "1", "PBS_ENVIRONMENT": "PBS_BATCH", "MPIXCORR_INPUT": INPUT,
                    "MPIXCORR_OUTPUT": OUTPUT, "MPIXCORR_RESUBMIT": "qsub -V again.pbs", **settings})
        self.log = open("log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(["bash", os.path.join(JOBS, "pbs", script)], cwd="/", env=env, stdout=self.log,
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def end(self, code):
        found = self.process.wait(PATIENCE_S)
        self.log.seek(0)
        self.words = self.log.read()
        assert found == code, f"exit {found}, expected {code}\n{self.words}"
        return self.words


def asked(name):
    """What a stand-in was called with."""
    if not os.path.exists(f"stub/{name}.asked"):
        return ""
    with open(f"stub/{name}.asked", encoding="utf-8") as file:
        return file.read()


def complete():
    words = Job().end(0)
    assert "PBS job 7.server" in words and "1 nodes, 2 ranks, 2 a node" in words, words
    assert re.search(r"\$ mpirun -n 2 --hostfile \S*/nodes ", words), words
    complete_and_same(OUTPUT)
    assert "nothing to do" in Job().end(0)
    assert not asked("qrerun") and not asked("qsub")


def walltime():
    """The time is known from qstat; the job stops before it, and submits its successor where qrerun is forbidden."""
    times = 0
    while not rows_done(OUTPUT + ".part"):  # a loaded machine may need all of a short time to start
        times += 1
        words = Job(walltime=f"00:00:0{times}").end(75)
        assert "the end of the time that PBS gives" in words and "submitted again" in words, words
        assert asked("qrerun") == "7.server\n" * times and asked("qsub") == "1 -V again.pbs\n" * times
        assert not os.path.exists(OUTPUT)
    os.remove("stub/qrerun.refuse")
    words = Job(walltime="00:00:01").end(75)
    assert "job: requeued" in words and asked("qsub").count("\n") == times, words
    Job(MPIXCORR_TIMES_REQUEUED="1").end(0)
    complete_and_same(OUTPUT)


def deleted():
    """qdel sends TERM: no successor."""
    job = Job()
    wait_until("some rows are done", lambda: rows_done(OUTPUT + ".part"))
    os.kill(job.process.pid, signal.SIGTERM)
    words = job.end(75)
    assert "stopped from outside" in words and not asked("qsub") and not asked("qrerun"), words
    Job().end(0)
    complete_and_same(OUTPUT)


def gpu():
    make_input("small.h5", images=4, shape=(100, 110), template_shape=(30, 40))
    words = Job("gpu.pbs", MPIXCORR_INPUT=os.path.abspath("small.h5")).end(5)
    assert "--device gpu" in words and not asked("qsub") and not asked("qrerun"), words


def submit():
    """What jobs/submit hands to qsub, and that a successor would get the same."""
    env = {**os.environ, "PATH": os.path.abspath("stub") + ":" + os.environ["PATH"]}
    done = subprocess.run([os.path.join(JOBS, "submit"), INPUT, OUTPUT, "--scheduler", "pbs", "--nodes", "2",
                           "--ranks-per-node", "2", "--cores", "3", "--gpus", "4", "--time", "01:00:00", "--partition",
                           "workq"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    words = asked("qsub")
    assert re.search(r"-V -l select=2:ncpus=6:mpiprocs=2:ompthreads=3:mem=\d+mb:ngpus=4 -l walltime=01:00:00 -q workq "
                     r"\S*/pbs/gpu.pbs\n", words), words
    with open("stub/resubmit", encoding="utf-8") as file:
        assert file.read().strip() == "qsub " + re.search("-V .*gpu.pbs", words)[0]


def stand_ins():
    """qrerun refuses, as it does for those who are no operators."""
    os.mkdir("stub")
    scripts = {
        "qstat": 'cat "$stub/qstat.txt"',
        "qrerun": 'echo "$*" >>"$stub/qrerun.asked"; [ ! -e "$stub/qrerun.refuse" ]',
        "qsub": 'echo "$MPIXCORR_TIMES_REQUEUED $*" >>"$stub/qsub.asked"; echo "$MPIXCORR_RESUBMIT" >"$stub/resubmit"; echo 8.server',
    }
    for name, text in scripts.items():
        with open(f"stub/{name}", "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nstub=$(dirname "$0")\n{text}\n')
        os.chmod(f"stub/{name}", 0o755)
    with open("stub/qrerun.refuse", "w", encoding="ascii"):
        pass
    with open("nodes", "w", encoding="ascii") as file:
        file.write("localhost\nlocalhost\n")


def main():
    with tempfile.TemporaryDirectory(prefix="pbs-") as folder:
        os.chdir(folder)
        os.environ.update({"MPIXCORR_HOME": TOP, "MPIXCORR_PROGRAM": MPIXCORR, "MPIXCORR_SYNC_S": "0.2",
                           "XDG_CACHE_HOME": FOLDER})
        stand_ins()
        {case.__name__: case for case in (complete, walltime, deleted, gpu, submit)}[sys.argv[1]]()
        os.chdir("/")
    print(f"passed {sys.argv[1]}")


main()
