#!/usr/bin/env python3
"""Ranks that are killed, disks that are full or fail, and two runs on one output: nothing that was done is lost.

faults_kill.py CASE
"""
import contextlib
import errno
import json
import os
import re
import signal
import subprocess

import h5py

from faults_common import (MPIXCORR, PROMPT, Running, at_gate, count_calls, crawl, logged, main, make_gate, make_input,
                           open_gate, part_is_whole, pending, reference, resumes_to, run, skip, small_input, tables)


ALLOCATIONS = int(os.environ.get("TEST_ALLOCATIONS", 6))  # that fail, of each rank and way to read


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


def killed_among_angles():
    """SIGKILL of each rank while ranks share the angles of a pair: what they know of it is lost, no row is made of that."""
    options = "--rotate=-30:30:1", "--quality"
    n = make_input(images=2, templates=2, shape=(300, 310), template_shape=(110, 130))
    expected = reference(*options)
    calls = count_calls("transform", "", *options)
    done = run(*options, "--report", "r.json", ranks=3)
    with open("r.json", encoding="utf-8") as file:
        assert done.code == 0 and json.load(file)["handouts"] > 3 * n, "no angles were shared"
    os.remove("out.h5")
    lost = set()
    for rank in range(3):
        for share in (60, 20, 8):  # of all work, which that rank does before
            done = run(*options, ranks=3, env=PROMPT,
                       shim={"call": "transform", "rank": rank, "at": calls // share, "action": "kill"})
            if done.code == 0:  # the others were quicker
                os.remove("out.h5")
                continue
            part_is_whole(n)
            lost.add(rank)
            print(f"killed rank {rank} after 1/{share} of all work: {n - pending()} of {n} done")
            resumes_to(expected, *options, ranks=2)
            os.remove("out.h5")
    assert lost == {0, 1, 2}, lost


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


def order_of_calls():
    """SIGKILL cannot tell what was synced, since the system's cache survives it. A power cut could: so the order of the
    calls is looked at. A name is given to what is on the disk, and is on the disk itself before anything relies on it;
    a row's status is written when nothing else is unsynced, and synced before anything else is written."""
    n = make_input(images=6)
    done = run(shim={"call": "none", "log": "log"}, env=PROMPT)
    assert done.code == 0, done.words
    with h5py.File("out.h5", "r") as file:
        status = range(file["status"].id.get_offset(), file["status"].id.get_offset() + n)
        complete = file["run"].id.get_offset() + file["run"].dtype.fields["complete"][1]
    folder, seen, unnamed = os.getcwd(), [], None
    unsynced = {"out.h5.part.new": set(), "out.h5.part": set()}  # kinds of bytes
    for call, offset, _, path, to in logged():
        name = os.path.basename(path)
        if path == folder and call == "fsync":
            unnamed = None
            seen.append("name")
        elif call in ("fsync", "fdatasync") and name in unsynced:
            unsynced[name].clear()
        elif call == "rename" and name in unsynced:
            assert not unsynced[name], f"{name} is renamed before it is synced"
            assert not unnamed, f"{unnamed} is renamed again before its name is synced"
            unnamed = os.path.basename(to)
            seen.append(f"{name} -> {unnamed}")
        elif call == "pwrite" and name in unsynced:
            kind = "new" if name.endswith("new") else "status" if offset in status else "data"
            kind = "complete" if kind == "data" and offset == complete else kind
            assert not unnamed, f"{name} is written before its name is synced"
            assert kind not in ("status", "complete") or not unsynced[name] - {kind}, f"{kind} before {unsynced[name]}"
            assert kind == "status" or "status" not in unsynced[name], "a status is not synced before other bytes come"
            unsynced[name].add(kind)
            if seen[-1:] != [kind]:
                seen.append(kind)
    print(" ".join(seen))
    assert not unsynced["out.h5.part"] and not unnamed
    assert seen[:3] == ["new", "out.h5.part.new -> out.h5.part", "name"], seen
    assert seen[-3:] == ["complete", "out.h5.part -> out.h5", "name"] and "status" in seen, seen


def short_writes():
    """A write may take less than it was given, or be interrupted: it goes on."""
    small_input()
    expected = reference()
    for ranks in (1, 2):
        for shim in ({"action": "short"}, {"action": errno.EINTR, "times": 3}):
            done = run("--overwrite", shim={"call": "pwrite", "path": "out.h5", "after": "out.h5.part", **shim}, ranks=ranks)
            assert done.code == 0 and tables() == expected, (shim, done.words)
            os.remove("out.h5")


def fails_at(n, expected, call, path, number, at, times=None, ranks=1):
    """The at-th such call fails, and all later ones or so many: exit 4, one line; the part goes on once the disk is
    well."""
    shim = {"call": call, "path": path, "at": at, "action": number, **({"times": times} if times else {})}
    done = run("--overwrite", shim=shim, ranks=ranks)
    assert done.code == 4 and len(done.errors) == 1, (shim, done.words)
    if call == "pwrite":
        assert os.strerror(number) in done.errors[0] or "HDF5" in done.errors[0], done.errors
    if os.path.exists("out.h5.part"):
        part_is_whole(n)
    if not os.path.exists("out.h5"):  # the last sync comes after the last rename
        resumes_to(expected)
    os.remove("out.h5")


def failed_calls():
    """A write, a sync, a rename or a close fails, and so do all later ones, as on a disk that is full or gone."""
    n = small_input()
    expected = reference()
    folder = os.path.basename(os.getcwd())  # its own sync too
    for ranks, call, path, number in ((2, "pwrite", "out.h5.part", errno.ENOSPC), (1, "pwrite", "out.h5.part", errno.EIO),
                                      (1, "fdatasync", folder, errno.EIO), (1, "fsync", folder, errno.EIO),
                                      (2, "rename", "out.h5.part", errno.EROFS)):
        calls = count_calls(call, path, ranks=ranks)
        for at in sorted({1, calls // 2 + 1, calls}):
            fails_at(n, expected, call, path, number, at, ranks=ranks)


def failed_once():
    """Each write, sync, rename and close in turn fails, and it alone: no later one tells of it."""
    n = small_input()
    expected = reference()
    run(shim={"call": "none", "log": "log"})
    os.remove("out.h5")
    folder = os.path.basename(os.getcwd())  # its own sync too
    for call, path, number in (("pwrite", "out.h5.part", errno.EIO), ("fdatasync", folder, errno.EIO),
                               ("fsync", folder, errno.EIO), ("rename", "out.h5.part", errno.EROFS),
                               ("close", "out.h5.part", errno.EIO)):
        files = [file for logged_call, _, _, file, _ in logged() if logged_call == call and path in file]
        places = [at for at, file in enumerate(files, 1) if not file.endswith(".lock")]  # its text is for people
        if call == "close":  # HDF5's, and ours of the part: file systems over a network tell only then of failed writes
            places = [1, max(at for at in places if files[at - 1].endswith(".part"))]
        assert places, (call, logged())
        for at in places:
            fails_at(n, expected, call, path, number, at, times=1)
        print(f"{len(places)} calls of {call}")


def old_output_stays():
    """--overwrite removes an old output only once there is a new part."""
    small_input()
    expected = reference()
    calls = [(call, at) for call in ("pwrite", "fsync") for at in range(1, count_calls(call, "out.h5.part.new") + 1)]
    assert run().code == 0
    for call, at in calls:
        done = run("--overwrite", shim={"call": call, "path": "out.h5.part.new", "at": at, "action": errno.ENOSPC})
        assert done.code == 4 and len(done.errors) == 1, done.words
        assert tables() == expected, "the old output is gone"
        assert [name for name in os.listdir(".") if name.startswith("out")] == ["out.h5"], os.listdir(".")


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
            done = run(ranks=ranks, output="folder/out.h5", env={"XDG_CACHE_HOME": os.path.abspath("cache")})
            assert done.code == 4 and len(done.errors) == 1 and "folder" in done.errors[0], done.words
            assert not os.listdir("folder")
            assert not os.path.exists("cache"), "transforms were planned first"
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


def two_runs_at_once():
    """Neither sees the other as it looks for a lock; the later one to lock refuses, and the other does not notice."""
    make_input(images=6)
    expected = reference()
    make_gate("late")
    late = Running("--overwrite", shim={"call": "lock", "path": "out.h5.part.lock", "action": "wait", "gate": "late"})
    late.wait_until(lambda: at_gate(0, "late"), "a run that is about to lock")
    first = Running(shim=crawl())
    first.wait_until(lambda: os.path.exists("out.h5.part"), "a part")
    open_gate("late")
    done = late.end()
    assert done.code == 4 and len(done.errors) == 1 and "in use by another run" in done.errors[0], done.words
    open_gate()
    done = first.end()
    assert done.code == 0 and tables() == expected, done.words


def lock_of_a_removed_file():
    """A run that has opened the lock file when another, as it ends, removes it, must not take that for the lock."""
    small_input()
    expected = reference()
    make_gate()
    late = Running("--overwrite", shim={"call": "lock", "path": "out.h5.part.lock", "action": "wait", "gate": "gate",
                                        "count": "locks"})
    late.wait_until(lambda: at_gate(0), "a run that is about to lock")
    done = run()
    assert done.code == 0 and not os.path.exists("out.h5.part.lock"), done.words
    open_gate()
    done = late.end()
    assert done.code == 0 and tables() == expected, done.words
    assert os.path.getsize("locks") == 2, "what was locked was no longer there"


def out_of_memory():
    """One rank may not have much: one line, no hang, and what was done is kept."""
    n = make_input(images=6, templates=4, shape=(2200, 2200), template_shape=(1000, 1000))
    if "sanitize" in MPIXCORR:
        skip("AddressSanitizer needs the address space")
    limited = ["sh", "-c", 'test "$OMPI_COMM_WORLD_RANK" != 1 || ulimit -v $LIMIT_KB; exec "$@"', "sh"]
    failures = 0
    for limit_mb in (250, 300, 350, 400, 450, 600):  # less, and MPI does not start
        done = run("--overwrite", ranks=2, wrap=limited, env={"LIMIT_KB": str(limit_mb << 10)})
        print(f"{limit_mb} MB: exit {done.code} {done.errors}")
        if done.code == 0:
            continue
        failures += 1
        assert done.code in (1, 3, 6), done.words
        if done.code in (1, 3):
            assert len(done.errors) == 1 and re.search("memory|no thread", done.errors[0]), done.words
        if os.path.exists("out.h5.part"):
            part_is_whole(n)
            os.remove("out.h5.part")
    assert failures > 0, "no limit was low enough to mean anything"


def each_allocation():
    """One rank gets no memory at a certain moment, whichever: one line, no hang; an error between two collectives is
    everyone's before anyone waits."""
    small_input()
    if "sanitize" in MPIXCORR:
        skip("AddressSanitizer has an allocator of its own")
    expected = reference()
    failures = 0
    for read in ("root", "all"):
        for rank in range(2):
            fault = {"call": "alloc", "rank": rank}
            calls = count_calls("alloc", "", "--read", read, ranks=2, rank=rank)
            ats = sorted({round(calls * i / ALLOCATIONS) for i in range(1, ALLOCATIONS + 1)})
            for at in ats:
                done = run("--overwrite", "--read", read, ranks=2,
                           shim={**fault, "at": at, "times": 1, "action": errno.ENOMEM})
                if done.code in (0, 6):
                    assert done.code == 6 or tables() == expected, (fault, at, done.words)
                    continue
                failures += 1
                assert len(done.errors) == 1 and "memory" in done.errors[0], (fault, at, done.words)
            print(f"--read {read}, rank {rank}: {len(ats)} of {calls} allocations failed")
    assert failures > 2 * ALLOCATIONS, failures


def no_threads():
    """A thread that cannot be started costs the run or a thread, never a hang or a crash."""
    small_input()
    options = ["--read", "all", "--threads", "2"]
    expected = reference(*options)
    words = set()
    for rank in range(2):
        threads = {"call": "thread", "path": os.path.basename(MPIXCORR), "rank": rank}
        calls = count_calls("thread", threads["path"], *options, rank=rank, ranks=2)
        for at in range(1, calls + 1):
            done = run("--overwrite", *options, ranks=2, shim={**threads, "at": at, "action": errno.EAGAIN})
            if done.code == 0:
                assert tables() == expected
            else:
                assert done.code == 1 and len(done.errors) == 1, (threads, at, done.words)
                words.add(re.search("no thread for [a-z]+|thread .* could not be started", done.errors[0])[0])
                resumes_to(expected)
            os.remove("out.h5")
    print(sorted(words))
    assert {f"no thread for {what}" for what in ("reading", "computing", "writing")} < words, words


if __name__ == "__main__":
    main({name: case for name, case in globals().items() if callable(case)})
