#!/usr/bin/env python3
"""Ranks that are killed, disks that are full or fail, and two runs on one output: nothing that was done is lost.

faults_kill.py CASE
"""
import contextlib
import errno
import os
import re
import signal
import subprocess
import time

from faults_common import (MPIXCORR, PROMPT, Running, count_calls, crawl, main, make_input, open_gate, part_is_whole,
                           pending, reference, resumes_to, run, skip, small_input, tables)


def killed():
    """SIGKILL of each rank, of mpirun, of all."""
    n = make_input()
    expected = reference()
    for victim in (0, 1, 2, "mpirun", "all"):
        run_ = Running(ranks=3, shim=crawl(), env=PROMPT)
        run_.wait_for_rows()
        ranks = run_.ranks()
        assert len(ranks) == 3, ranks
        if victim in ("mpirun", "all"):
            run_.process.kill()
        for rank, pid in ranks.items():
            if victim in (rank, "all"):
                os.kill(pid, signal.SIGKILL)
        done = run_.end()
        run_.wait_for_end_of_ranks()
        assert done.code != 0 and os.path.exists("out.h5.part"), done.words
        part_is_whole(n)
        print(f"killed {victim}: {n - pending()} of {n} done")
        resumes_to(expected, ranks=2)
        os.remove("out.h5")


def kill_at(call, path):
    """SIGKILL at every single call of one kind."""
    small_input()
    expected = reference()
    calls = count_calls(call, path)
    for at in range(1, calls + 1):
        done = run(shim={"call": call, "path": path, "at": at, "action": "kill"})
        assert done.code == -signal.SIGKILL, done.words
        for name in ("out.h5", "out.h5.part"):
            if os.path.exists(name):
                tables(name)
        resumes_to(expected)
        os.remove("out.h5")
    print(f"killed at each of {calls} calls of {call}")


def killed_at_writes():
    kill_at("pwrite", "out.h5")


def killed_at_syncs_and_renames():
    for call in ("fsync", "fdatasync", "rename", "renamed"):
        kill_at(call, "out.h5")


def failed_calls():
    """A write or a sync that fails ends the run with exit 4 and one line; the part goes on once the disk is well."""
    n = small_input()
    expected = reference()
    for ranks, call, number in ((2, "pwrite", errno.ENOSPC), (1, "pwrite", errno.EIO), (1, "fdatasync", errno.EIO),
                                (1, "fsync", errno.EIO), (2, "rename", errno.EROFS)):
        calls = count_calls(call, "out.h5.part", ranks=ranks)
        for at in sorted({1, calls // 2 + 1, calls}):
            done = run("--overwrite", shim={"call": call, "path": "out.h5.part", "at": at, "action": number}, ranks=ranks)
            assert done.code == 4 and len(done.errors) == 1, (call, at, calls, done.words)
            if call == "pwrite":
                assert os.strerror(number) in done.errors[0] or "HDF5" in done.errors[0], done.errors
            if os.path.exists("out.h5.part"):
                part_is_whole(n)
            if not os.path.exists("out.h5"):  # the last sync comes after the last rename
                resumes_to(expected)
            os.remove("out.h5")


def full_disk():
    """A disk that fills up: before anything, while the part is made, and while rows are written."""
    n = make_input(images=40, templates=60, shape=(40, 44), template_shape=(9, 8))
    expected = reference()
    os.mkdir("disk")
    for size, filler in ((64 << 10, 0), (1 << 20, (1 << 20) - (48 << 10))):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "disk"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            skip("file systems cannot be mounted here")
        try:
            with contextlib.suppress(OSError), open("disk/filler", "wb") as file:
                file.write(bytes(filler))
            done = run(ranks=2, output="disk/out.h5")
            assert done.code == 4 and len(done.errors) == 1 and "disk/out.h5" in done.errors[0], done.words
            assert not os.path.exists("disk/out.h5")
            if os.path.exists("disk/out.h5.part"):
                assert len(tables("disk/out.h5.part")) == len(expected)
            subprocess.run(["mount", "-o", "remount,size=100m", "disk"], check=True)
            done = run("--resume", output="disk/out.h5")
            assert done.code == 0 and tables("disk/out.h5") == expected, done.words
        finally:
            subprocess.run(["umount", "disk"], check=True)


def read_only_folder():
    small_input()
    os.mkdir("folder")
    if os.geteuid() == 0:  # whom no mode stops
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "folder"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            skip("file systems cannot be mounted here")
    else:
        os.chmod("folder", 0o555)
    try:
        for ranks in (1, 3):
            done = run(ranks=ranks, output="folder/out.h5")
            assert done.code == 4 and len(done.errors) == 1 and "folder" in done.errors[0], done.words
            assert not os.listdir("folder")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", "folder"], check=True)


def two_runs():
    """The second refuses, whatever it is asked for; the first does not notice."""
    make_input(images=6)
    expected = reference()
    run_ = Running(ranks=2, shim=crawl())
    run_.wait_until(lambda: os.path.exists("out.h5.part"), "a part")
    for option in ("--resume", "--overwrite", None):
        done = run(*([option] if option else []))
        assert done.code == 4 and len(done.errors) == 1, done.words
        assert "in use by another run" in done.errors[0] or not option, done.errors
    open_gate()
    done = run_.end()
    assert done.code == 0 and tables() == expected, done.words


def out_of_memory():
    """One rank may not have much: one line, no hang, and what was done is kept."""
    n = make_input(images=6, templates=4, shape=(2200, 2200), template_shape=(1000, 1000))
    if "sanitize" in MPIXCORR:
        skip("AddressSanitizer needs the address space")
    limited = ["sh", "-c", 'test "$OMPI_COMM_WORLD_RANK" != 1 || ulimit -v $LIMIT_KB; exec "$@"', "sh"]
    failures = 0
    for limit_mb in (250, 400, 600):
        started = time.monotonic()
        done = run("--overwrite", ranks=2, wrap=limited, env={"LIMIT_KB": str(limit_mb << 10)})
        assert time.monotonic() - started < 60
        print(f"{limit_mb} MB: exit {done.code} {done.errors}")
        if done.code == 0:
            continue
        failures += 1
        assert done.code in (1, 3, 6) or "mpirun" in done.err, done.words
        if done.code in (1, 3):
            assert len(done.errors) == 1 and re.search("memory|no thread", done.errors[0]), done.words
        if os.path.exists("out.h5.part"):
            part_is_whole(n)
            os.remove("out.h5.part")
    assert failures > 0, "no limit was low enough to mean anything"


if __name__ == "__main__":
    main({name: case for name, case in globals().items() if callable(case)})
