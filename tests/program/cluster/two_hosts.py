#!/usr/bin/env python3
"""Runs on two hosts, by mpirun over TCP (tests/program/cluster/two_hosts.sh): who sees the input, a host that dies, a cable that is cut.

two_hosts.py CASE. Whatever happens: nothing is lost, a resumed run ends with the undisturbed bytes, and no process is
left behind on either host, by itself, not by the test's broom.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import h5py

from cluster_common import HERE, INPUT, MPIEXEC, MPIXCORR, PATIENCE_S, Done, complete_and_same, rows_done, skip, wait_until

HOSTS = os.path.join(HERE, "two_hosts.sh")
QUICK_KEEPALIVE = {"time": 2, "intvl": 1, "probes": 2}  # as jobs/job.sh does in minutes
OUTPUT = "out.h5"


def hosts(verb, *arguments):
    return subprocess.run([HOSTS, verb, ".", *arguments], check=True, capture_output=True, text=True).stdout


class Run:
    """mpirun on one host, two ranks on each, in a session of its own."""

    def __init__(self, *options, input=INPUT, first="a", keepalive=None, env=None):
        other = "b" if first == "a" else "a"
        mca = {"plm_rsh_agent": os.path.abspath("rsh"), "btl": "tcp,self", "pml": "ob1"}
        mca.update({"oob_tcp_keepalive_" + name: value for name, value in (keepalive or {}).items()})
        command = [HOSTS, "on", ".", first, "timeout", "-k", "3", str(PATIENCE_S), MPIEXEC, "-n", "4", "--host",
                   f"{first}:2,{other}:2"]
        for name, value in mca.items():
            command += ["--mca", name, str(value)]
        for name in (env or {}):
            command += ["-x", name]
        command += [MPIXCORR, "run", input, OUTPUT, "--progress", "none", "--threads", "1", *options]
        self.out, self.err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=self.out, stderr=self.err, start_new_session=True,
                                        env={**os.environ, **(env or {})})

    def so_far(self):
        self.err.seek(0)
        return self.err.read()

    def end(self):
        code = self.process.wait(PATIENCE_S)
        self.out.seek(0)
        self.err.seek(0)
        return Done(code, self.out.read(), self.err.read())

    def wait_for_rows(self):
        def some():
            assert self.process.poll() is None, "ended before anything was seen: " + self.end().words
            return rows_done(OUTPUT + ".part")
        wait_until("some rows are done", some)


def nobody_left(within_s=60):
    wait_until("no process is left on the two hosts", lambda: not hosts("left").split(), within_s)


def done_well(done, reading=""):
    assert done.code == 0, done.words
    assert re.search("^reading .*" + reading, done.out, re.M), (reading, done.words)
    assert " 4 ranks on 2 nodes" in done.out, done.words
    nobody_left()
    complete_and_same(OUTPUT)


def lost(run):
    """What a run that lost something leaves: a part, some rows done."""
    done = run.end()
    print(f"exit {done.code}, {rows_done(OUTPUT + '.part')} rows done")
    assert not os.path.exists(OUTPUT), done.words
    assert rows_done(OUTPUT + ".part") > 0, done.words
    return done


def both_see():
    """The input is there for both; whoever reads."""
    for reader, reading in (("root", "by rank 0"), ("auto", "by every rank: all see the file")):
        done_well(Run("--read", reader).end(), reading)
        os.remove(OUTPUT)


def on_host_b(command):
    with open("mounts.b", "w", encoding="utf-8") as file:
        file.write(command + "\n")


def private_input():
    os.mkdir("data")
    shutil.copy(INPUT, "data/in.h5")
    return "data/in.h5"


def one_sees():
    """The input is on rank 0's host only: `--read auto` has rank 0 read; `--read all` says who sees no such file."""
    path = private_input()
    on_host_b(f"mount -t tmpfs tmpfs '{os.path.abspath('data')}'")
    done_well(Run(input=path).end(), rf"by rank 0.*: rank \d on b: {path}: cannot be opened")
    os.remove(OUTPUT)
    done = Run("--read", "all", input=path).end()
    assert done.code == 3 and len(done.errors) == 1, done.words
    assert " on b: " in done.errors[0] and path in done.errors[0], done.words
    assert not os.path.exists(OUTPUT + ".part")
    nobody_left()


def other_file():
    """Another file under the same name on the second host is noticed, where that host would read it."""
    path = private_input()
    shutil.copy(path, "other.h5")
    with h5py.File("other.h5", "r+") as file:  # the same size, other pixels
        for image in file["images"].values():
            image[...] = 255 - image[...]
    on_host_b(f"mount --bind '{os.path.abspath('other.h5')}' '{os.path.abspath(path)}'")
    done = Run("--read", "all", input=path).end()
    assert done.code == 3 and len(done.errors) == 1, done.words
    assert " on b: " in done.errors[0] and "differs from the file that rank 0 sees" in done.errors[0], done.words
    assert not os.path.exists(OUTPUT) and not os.path.exists(OUTPUT + ".part")
    nobody_left()
    done_well(Run(input=path).end(), rf"by rank 0.*: rank \d on b: {path}: differs")


def host_dies():
    """A host other than rank 0's loses its power."""
    run = Run()
    run.wait_for_rows()
    hosts("kill", "b")
    lost(run)
    nobody_left()
    done_well(Run("--resume").end())


def first_host_dies():
    """Rank 0's host loses its power, mpirun with it; the other one goes on."""
    run = Run()
    run.wait_for_rows()
    hosts("kill", "a")
    lost(run)
    nobody_left()
    done_well(Run("--resume", first="b").end())


def cable_mended():
    """The cable is pulled for some seconds: nobody minds."""
    run = Run()
    run.wait_for_rows()
    hosts("cut")
    subprocess.run(["sleep", "3"], check=True)
    assert run.process.poll() is None, run.end().words
    hosts("mend")
    done_well(run.end())


def cable_cut():
    """For good: the launcher's daemons notice, where they are told to look, and end what they started on both hosts."""
    run = Run(keepalive=QUICK_KEEPALIVE)
    run.wait_for_rows()
    hosts("cut")
    done = lost(run)
    assert done.code not in (0, 124, 137), done.words
    nobody_left()
    hosts("mend")
    done_well(Run("--resume").end())


def cable_cut_unnoticed():
    """For good, and the launcher notices nothing: rank 0 names the rank that is silent; the batch system clears up."""
    run = Run(env={"MPIXCORR_PATIENCE_S": "10"})  # a busy machine lets a rank that is well wait for seconds
    run.wait_for_rows()
    hosts("cut")
    wait_until("rank 0 speaks", lambda: "has not answered for" in run.so_far())
    for host in "ab":  # as a batch system would
        hosts("kill", host)
    done = lost(run)
    named = [line for line in done.errors if "has not answered for" in line]
    assert len(named) == 1 and " on b " in named[0] and "--resume" in named[0], done.words
    hosts("mend")
    done_well(Run("--resume").end())


CASES = (both_see, one_sees, other_file, host_dies, first_host_dies, cable_mended, cable_cut, cable_cut_unnoticed)


def main():
    case = {case.__name__: case for case in CASES}[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = os.path.dirname(INPUT)
        os.environ["NCC_SESSIONS"] = folder
        os.environ["MPIXCORR_SYNC_S"] = "0.2"  # rows reach the disk soon, so that runs are struck early
        up = subprocess.run([HOSTS, "up", "."], capture_output=True, text=True)
        try:
            if up.returncode == 77:
                skip(up.stdout.strip().removeprefix("skipped: "))
            assert up.returncode == 0, up.stderr
            case()
        finally:
            hosts("down")
            os.chdir("/")
    print(f"passed {case.__name__}")


main()
