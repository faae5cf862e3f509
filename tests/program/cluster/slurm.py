#!/usr/bin/env python3
"""The job scripts of jobs/slurm under a real SLURM (tests/program/cluster/slurm.sh): each job ends complete, with the bytes of a local
run, after whatever befalls it. slurm.py CASE. No process may be left behind.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from cluster_common import (FOLDER, HERE, INPUT, MPIXCORR, PATIENCE_S, REFERENCE, TOP, complete_and_same, make_input,
                            part_is_whole, rows_done, skip, wait_until)

SLURM = os.path.join(HERE, "slurm.sh")
JOBS = os.path.join(TOP, "jobs")
OUTPUT = "peaks.h5"
TWO_NODES = ("--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=1")


def shell(*words, env=None):
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **(env or {})})
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Job:
    """A submitted job and its log."""

    def __init__(self, script="cpu.sbatch", *options, **settings):
        env = {"MPIXCORR_INPUT": INPUT, "MPIXCORR_OUTPUT": OUTPUT, **settings}
        self.follow(shell("sbatch", "--parsable", *options, os.path.join(JOBS, "slurm", script), env=env).strip())

    def follow(self, number):
        self.id = number
        self.log = f"mpixcorr-{self.id}.log"

    def field(self, name):
        return re.search(rf"\b{name}=(\S*)", shell("scontrol", "show", "job", self.id))[1]

    def state(self):
        return self.field("JobState")

    def words(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def wait_for_rows(self):
        def some():
            assert self.state() in ("PENDING", "CONFIGURING", "RUNNING"), self.words()
            return rows_done(OUTPUT + ".part")
        wait_until("some rows are done", some)

    def wait_for(self, *states, timeout=PATIENCE_S):
        try:
            return wait_until(f"job {self.id} is {states}", lambda: self.state() if self.state() in states else "",
                              timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.state()} {self.field('Reason')}\n{self.words()}") from error

    def ends_well(self, requeued=(0,), reference=REFERENCE):
        """After one of these counts of requeues."""
        state = self.wait_for("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        assert state == "COMPLETED" and self.field("ExitCode") == "0:0", f"{state}\n{self.words()}"
        restarts = int(self.field("Restarts"))
        assert restarts in requeued and f"requeued {restarts} times" in self.words(), f"{restarts}\n{self.words()}"
        complete_and_same(OUTPUT, reference)


def ranks_of(job):
    """Process ids of the program's ranks."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(MPIXCORR):
                with open(f"/proc/{pid}/environ", "rb") as file:
                    words = file.read().split(b"\0")
                if f"SLURM_JOB_ID={job.id}".encode() in words and b"SLURM_CONF=" + os.environb[b"SLURM_CONF"] in words:
                    found.append(int(pid))
        except OSError:
            pass
    return found


def batch(launcher):
    """Two nodes, two ranks on each."""
    job = Job("cpu.sbatch", *TWO_NODES, MPIXCORR_LAUNCHER=launcher)
    job.ends_well()
    assert re.search(r"2 nodes, 4 ranks, 2 a node", job.words()), job.words()
    assert re.search(r"^mpixcorr \S+: 4 ranks", job.words(), re.M), job.words()
    assert re.search(rf"job: \$ {launcher} .* run .* --resume", job.words()), job.words()
    again = Job("cpu.sbatch", *TWO_NODES, MPIXCORR_LAUNCHER=launcher)
    again.ends_well()
    assert "nothing to do" in again.words() and "ranks on" not in again.words(), again.words()


def batch_mpirun():
    batch("mpirun")


def batch_srun():
    batch("srun")


def new_user():
    """Who changes only the marked lines of cpu.sbatch can submit it."""
    changes = {r"--nodes=\d+ ": "--nodes=2 ", r"--ntasks-per-node=\d+ ": "--ntasks-per-node=1 ",
               r"--cpus-per-task=\d+ ": "--cpus-per-task=2 ", r"--time=\S+ ": "--time=00:10:00 ",
               r":-input.h5": ":-" + INPUT, r":-peaks.h5": ":-" + OUTPUT, r":-\$HOME/mpixcorr": ":-" + TOP}
    with open(os.path.join(JOBS, "slurm", "cpu.sbatch"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    marked = [i for i, line in enumerate(lines) if "<--" in line and not line.startswith(("# ", "##"))]
    for old, new in changes.items():
        i, = (i for i in marked if re.search(old, lines[i]))
        lines[i] = re.sub(old, new, lines[i])
    with open("mine.sbatch", "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MPIXCORR_")}
    if os.path.realpath(MPIXCORR) != os.path.realpath(os.path.join(JOBS, "../build/mpixcorr")):
        env["MPIXCORR_PROGRAM"] = MPIXCORR
    done = subprocess.run(["sbatch", "--parsable", "mine.sbatch"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    job = Job.__new__(Job)
    job.follow(done.stdout.strip())
    job.ends_well()
    assert "2 nodes, 2 ranks, 1 a node" in job.words() and "--threads 2" in job.words(), job.words()


def requeued():
    """By an operator, or for a more urgent job, in mid-run."""
    job = Job("cpu.sbatch", *TWO_NODES)
    job.wait_for_rows()
    shell("scontrol", "requeue", job.id)
    job.wait_for("PENDING")
    done = rows_done(OUTPUT + ".part")
    part_is_whole(OUTPUT + ".part")
    print(f"{done} rows done")
    assert done > 0
    job.ends_well(requeued=(1,))
    first, second = re.findall(r"^work +(\d+) pairs", job.words(), re.M)
    assert int(second) == int(first) - done, job.words()


def time_limit(launcher="mpirun"):
    """SLURM warns that the time is up; the job stops, has itself requeued, and ends. The ranks sleep meanwhile."""
    job = Job("cpu.sbatch", "--time=1", "--signal=B:USR1@57", *TWO_NODES, MPIXCORR_LAUNCHER=launcher)
    job.wait_for_rows()
    ranks = ranks_of(job)
    assert len(ranks) == 4, ranks
    with open(f"/proc/{ranks[0]}/environ", encoding="utf-8", errors="replace") as file:
        told = re.search(r"\0SLURM_JOB_END_TIME=(\d+)", file.read())
    assert told and int(told[1]) == int(shell("date", "--date", job.field("EndTime"), "+%s")), told
    for pid in ranks:
        os.kill(pid, signal.SIGSTOP)
    wait_until("SLURM's warning comes", lambda: "got USR1" in job.words())  # it looks every 30 s
    for pid in ranks:
        os.kill(pid, signal.SIGCONT)
    wait_until("the job requeues itself", lambda: "job: requeued" in job.words())
    assert "the launcher returned 75" in job.words(), job.words()
    job.ends_well(requeued=range(1, 10))  # a slow machine is warned again


def exit_75():
    """For tools that resubmit by themselves: a job that may not be requeued ends with 75."""
    job = Job("cpu.sbatch", *TWO_NODES, MPIXCORR_OPTIONS="--time-limit 1", MPIXCORR_MAX_REQUEUES="0")
    job.wait_for("FAILED")
    assert job.field("ExitCode") == "75:0" and job.field("Restarts") == "0", job.words()
    assert "not requeued" in job.words() and not os.path.exists(OUTPUT), job.words()
    Job("cpu.sbatch", *TWO_NODES).ends_well()


def cancelled():
    """Is not requeued, leaves nobody behind; submitted again it goes on."""
    job = Job("cpu.sbatch", *TWO_NODES)
    job.wait_for_rows()
    shell("scancel", job.id)
    job.wait_for("CANCELLED")
    wait_until("its processes are gone", lambda: not ranks_of(job), 20)
    part_is_whole(OUTPUT + ".part")
    assert rows_done(OUTPUT + ".part") > 0 and not os.path.exists(OUTPUT)
    time.sleep(1)
    assert job.state() == "CANCELLED", job.words()
    Job("cpu.sbatch", *TWO_NODES).ends_well()


def node_lost():
    """All processes of the second node are killed, SLURM's too; the job is requeued and waits until it is back."""
    job = Job("cpu.sbatch", *TWO_NODES)
    job.wait_for_rows()
    there = node_processes("n2")
    assert there and set(ranks_of(job)) & there, there
    for pid in there:
        os.kill(pid, signal.SIGKILL)
    wait_until("the job requeues itself", lambda: "job: requeued" in job.words())
    print(re.search("the launcher returned.*", job.words())[0])
    shell("slurmd", "-N", "n2", "-f", os.environ["SLURM_CONF"])
    job.ends_well(requeued=(1,))


def node_processes(node):
    """SLURM's daemon, its step managers, and what these started."""
    found = set()
    with open(f"run/slurmd-{node}.pid", encoding="ascii") as file:
        found.add(int(file.read()))
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                parents[int(pid)] = int(file.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{pid}/environ", "rb") as file:
                words = file.read().split(b"\0")
            if f"SLURMD_NODENAME={node}".encode() in words and b"SLURM_CONF=" + os.environb[b"SLURM_CONF"] in words:
                found.add(int(pid))
        except OSError:
            pass
    for pid in list(found):  # a step manager is the parent of what it started
        parent = parents.get(pid, 1)
        try:
            with open(f"/proc/{parent}/comm", encoding="utf-8") as file:
                if file.read().startswith("slurmstepd"):
                    found.add(parent)
        except OSError:
            pass
    return found


def array():
    """An input a task; a task that dies is requeued, alone (the last one has the number of the whole array)."""
    for i in range(2):
        make_input(f"in{i}.h5", images=20 + i, shape=(100, 110), template_shape=(30, 40), seed=i)
        shell(MPIXCORR, "run", f"in{i}.h5", f"ref{i}.h5", "--progress", "none")
    with open("inputs.txt", "w", encoding="utf-8") as file:
        file.write(f"in0.h5\nin1.h5\n{INPUT}\n")
    job = Job("array.sbatch", "--array=1-3", "--ntasks-per-node=2", "--cpus-per-task=1", "--mem-per-cpu=300M",
              MPIXCORR_INPUTS="inputs.txt")
    wait_until("some rows are done", lambda: rows_done("in.peaks.h5.part"))
    os.kill(wait_until("there are ranks", lambda: ranks_of(job))[-1], signal.SIGKILL)
    wait_until("the array is done", lambda: not shell("squeue", "--noheader", "--job", job.id).strip(), 90)
    logs = []
    for i in range(3):
        with open(f"mpixcorr-{job.id}_{i + 1}.log", encoding="utf-8") as file:
            logs.append(file.read())
    assert ["requeued 1 times" in log for log in logs] == [False, False, True], "\n".join(logs)
    complete_and_same("in.peaks.h5")
    for i in range(2):
        complete_and_same(f"in{i}.peaks.h5", f"ref{i}.h5")


def gpu():
    """SLURM hands out two pretended GPUs a node, and the script asks for the GPU engine: with a build on the tests'
    stand-in for CUDA it runs; one without CUDA, or without GPUs, ends with 5 and is not requeued.
    """
    make_input("small.h5", images=12, shape=(100, 110), template_shape=(30, 40))
    options = ("--nodes=2", "--gpus-per-node=2", "--ntasks-per-node=2", "--cpus-per-task=1")
    shell(MPIXCORR, "run", "small.h5", "ref.h5", "--device", "cpu", "--progress", "none")
    alone = subprocess.run([MPIXCORR, "run", "small.h5", "alone.h5", "--device", "gpu"], capture_output=True, text=True)
    job = Job("gpu.sbatch", *options, MPIXCORR_INPUT="small.h5")
    job.wait_for("COMPLETED", "FAILED")
    assert "CUDA_VISIBLE_DEVICES=0,1" in job.words(), job.words()
    assert "--device gpu" in job.words() and "4 ranks, 2 a node" in job.words(), job.words()
    if alone.returncode == 0:
        job.ends_well(reference="ref.h5")
        used = re.search("^GPUs .*", job.words(), re.M)[0]
        print(used)
        assert len(set(re.findall(r"GPU-[0-9a-f-]+", used))) == 2, used
        return
    assert alone.returncode == 5, alone
    assert job.field("ExitCode") == "5:0" and job.field("Restarts") == "0", job.words()
    Job("gpu.sbatch", *options, MPIXCORR_INPUT="small.h5", MPIXCORR_DEVICE="cpu").ends_well(reference="ref.h5")


def submit():
    """jobs/submit asks the dry run and SLURM, and submits; what it prints is what it does."""
    command = [os.path.join(JOBS, "submit"), INPUT, OUTPUT]
    words = shell(*command, "--print", "--", "--crop", "half")
    assert not shell("squeue", "--noheader").strip()
    assert re.search(r"^plan     about \d+ s of computing; nodes: 1, ranks a node: 2, cores a rank: 1, \d+ MiB each$", words, re.M), words
    for word in ("sbatch --nodes=1 --ntasks-per-node=2 --cpus-per-task=1 ", "--time=00:1", "/cpu.sbatch",
                 "MPIXCORR_OPTIONS=--crop\\ half"):
        assert word in words, (word, words)
    words = shell(*command, "--nodes", "2", "--partition", "p")
    job = Job.__new__(Job)
    job.follow(re.search(r"^Submitted batch job (\d+)$", words, re.M)[1])
    memory = int(re.search(r"--mem=(\d+)M", words)[1])
    assert 1024 < memory < 4096, words
    job.ends_well()
    assert "2 nodes, 4 ranks, 2 a node" in job.words(), job.words()
    with open("sinfo", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho '1 2 1'\n")  # of nodes whose memory slurm.conf does not tell
    os.chmod("sinfo", 0o755)
    assert "--mem" not in shell("env", f"PATH={os.getcwd()}:{os.environ['PATH']}", *command, "--print")
    bad = subprocess.run([command[0], "no.h5", OUTPUT], capture_output=True, text=True)
    assert bad.returncode == 3 and "no.h5" in bad.stderr, bad
    bad = subprocess.run([*command, "--nodes", "many"], capture_output=True, text=True)
    assert bad.returncode == 2 and "many" in bad.stderr, bad


CASES = (batch_mpirun, batch_srun, new_user, requeued, time_limit, exit_75, cancelled, node_lost, array, gpu, submit)


def main():
    case = {case.__name__: case for case in CASES}[sys.argv[1]]
    folder = tempfile.mkdtemp(prefix="slurm-")
    os.chdir(folder)
    os.environ.update({"MPIXCORR_HOME": TOP, "MPIXCORR_PROGRAM": MPIXCORR, "XDG_CACHE_HOME": FOLDER,
                       "SLURM_CONF": os.path.join(folder, "slurm.conf"), "MPIXCORR_SYNC_S": "0.2",
                       "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
                       "OMPI_MCA_btl": "tcp,self",  # both nodes have this machine's name, but no memory in common
                       "OMPI_MCA_orte_create_session_dirs": "1", "OMPI_MCA_orte_tmpdir_base": folder,  # of srun's ranks
                       "NCC_SESSIONS": folder})
    up = subprocess.run([SLURM, "up", "."], capture_output=True, text=True)
    try:
        if up.returncode == 77:
            skip(up.stdout.strip().removeprefix("skipped: "))
        assert up.returncode == 0, up.stdout + up.stderr
        case()
    except BaseException:
        for log in sorted(glob.glob("*.log")):  # of the jobs and of SLURM's daemons
            with open(log, encoding="utf-8", errors="replace") as file:
                print(f"== {log}", *file.read().splitlines()[-40:], sep="\n")
        raise
    finally:
        down = subprocess.run([SLURM, "down", "."], capture_output=True, text=True)
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)
    assert down.returncode == 0, down.stderr
    print(f"passed {case.__name__}")


main()
