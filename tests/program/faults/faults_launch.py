#!/usr/bin/env python3
"""What launchers, schedulers and shells do to a run: limits, pipes that nobody reads, ranks that MPI does not see.

faults_launch.py CASE
"""
import os
import resource
import signal
import subprocess

from faults_common import (MPIXCORR, Running, command, crawl, main, make_input, open_gate, reference, resumes_to, run,
                           says_how_to_resume, small_input, tables)


def hangup():
    """SIGHUP stops a run, resumable; under nohup it does nothing."""
    make_input()
    expected = reference()
    run_ = Running(shim=crawl())
    run_.wait_for_rows()
    run_.process.send_signal(signal.SIGHUP)
    done = run_.end()
    assert done.code == 75 and "SIGHUP came" in done.out, done.words
    says_how_to_resume(done)
    resumes_to(expected)
    os.remove("out.h5")
    run_ = Running(shim=crawl(), wrap=("nohup",))
    run_.wait_for_rows()
    run_.process.send_signal(signal.SIGHUP)
    open_gate()
    done = run_.end()
    assert done.code == 0 and tables() == expected, done.words


def file_size_limit():
    """As a full disk: exit 4, one line, and nothing is left behind, whatever the command."""
    small_input()
    limit = 512
    for words in (command(), [MPIXCORR, "generate", "made.h5", "--preset", "tiny"]):
        done = subprocess.run(words, capture_output=True, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        lines = [line for line in done.stderr.splitlines() if not line.startswith("mpixcorr: note")]
        assert done.returncode == 4 and len(lines) == 1 and "File too large" in lines[0], (words, done)
        left = [name for name in os.listdir(".") if name.startswith(("made", "out")) and not name.endswith(".lock")]
        assert not left, left


def processor_time_limit():
    """The soft limit stops a run, resumable; the hard one would kill it."""
    make_input(images=200, shape=(500, 500))
    expected = reference()
    done = subprocess.run(command(), capture_output=True, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 60)))
    assert done.returncode == 75 and "SIGXCPU came" in done.stdout, done
    resumes_to(expected)


def nobody_reads():
    """`mpixcorr run ... | head -1`: the job is done all the same, and the exit code tells that the words were not."""
    small_input()
    expected = reference()
    with subprocess.Popen(command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        words = process.stderr.read()
    assert process.returncode == 4 and words.count("\n") == 1 and "standard output" in words, (process.returncode, words)
    assert tables() == expected


def ranks_that_mpi_does_not_see():
    """A launcher that MPI does not know starts the same job N times: refused, once, with the remedy."""
    small_input()
    for variables, code in (({"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"}, 2),
                            ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"}, 2), ({"PMI_SIZE": "3"}, 2),
                            ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, 0),
                            ({"SLURM_NTASKS": "8"}, 0), ({}, 0)):
        done = run("--overwrite", env=variables)
        refused = [line for line in done.errors if "MPI sees each alone" in line and "srun --mpi=pmix" in line]
        assert done.code == code, (variables, done.words)
        assert len(refused) == len(done.errors) == (code == 2 and variables.get("SLURM_PROCID") != "1"), done.words
        assert os.path.exists("out.h5") == (code == 0), (variables, os.listdir("."))
        if code == 0:
            os.remove("out.h5")
    done = run(ranks=2, env={"SLURM_STEP_NUM_TASKS": "2"})  # an mpirun within such a step
    assert done.code == 0 and "2 ranks" in done.out, done.words


def serial_commands_speak():
    """Whatever rank a scheduler or an MPI program left in the environment."""
    small_input()
    for name in ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"):
        for words, code in ((["--version"], 0), (["import", "nowhere", "x.h5"], 3), (["info", "in.h5"], 0),
                            (["frobnicate"], 2)):
            done = subprocess.run([MPIXCORR, *words], capture_output=True, text=True, env={**os.environ, name: "1"})
            assert done.returncode == code and (done.stderr if code else done.stdout), (name, words, done)


if __name__ == "__main__":
    main({name: case for name, case in globals().items() if callable(case)})
