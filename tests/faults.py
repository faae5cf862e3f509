#!/usr/bin/env python3
"""Whatever happens to a run, nothing that was done is lost, and the resumed run gives the undisturbed bytes.

faults.py CASE
"""
import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time

import h5py
import numpy as np

from faults_common import (MPIXCORR, Running, count_calls, main, make_input, part_is_whole, pending, reference,
                           resumes_to, run, says_how_to_resume, skip, small_input, tables)


def interrupted(n, **how):
    """A run on 3 ranks that was stopped in its middle."""
    run_ = Running(ranks=3, **how)
    run_.wait_for_rows()
    run_.process.send_signal(signal.SIGUSR1)
    done = run_.end()
    assert done.code == 75 and 0 < pending() <= n, done.words
    return done


def resume_anywhere():
    """On any number of ranks, by any reader, grouped or not; a moved input only warns; complete: nothing to do."""
    n = make_input()
    expected = reference()
    for ranks, options in ((1, []), (2, ["--read", "all"]), (5, ["--no-group"]), (3, ["--threads", "2"])):
        interrupted(n)
        part_is_whole(n)
        resumes_to(expected, *options, ranks=ranks)
        before = os.stat("out.h5").st_mtime_ns
        done = run("--resume", ranks=2)
        assert done.code == 0 and os.stat("out.h5").st_mtime_ns == before, done.words
        os.remove("out.h5")
    resumes_to(expected)  # there was nothing to resume
    os.remove("out.h5")
    interrupted(n)
    os.rename("in.h5", "moved.h5")
    done = run("--resume", input="moved.h5")
    assert done.code == 0 and "warning" in done.err and "moved.h5" in done.err and not done.errors, done.words
    assert tables() == expected


def resume_refused():
    """With a reason, and without touching the part."""
    n = make_input(images=30)
    interrupted(n)
    with open("out.h5.part", "rb") as file:
        part = file.read()

    def refused(*options, code, words, **how):
        done = run(*options, **how)
        assert done.code == code and len(done.errors) == 1, done.words
        assert all(word in done.errors[0] for word in words), (words, done.errors)
        with open("out.h5.part", "rb") as file:
            assert file.read() == part, "the part was touched"

    refused(code=4, words=["out.h5.part", "--resume"])
    refused("--resume", "--overwrite", code=2, words=["--resume", "--overwrite"])
    refused("--resume", "--crop", "1,1", code=3, words=["options that may change results", "--crop=1,1"])
    refused("--resume", "--quality", code=3, words=["options that may change results", "--quality"])
    make_input("other.h5", images=30, seed=2)
    refused("--resume", input="other.h5", code=3, words=["fingerprint"])
    shutil.copy("in.h5", "pairs.h5")
    with h5py.File("pairs.h5", "r+") as file:
        file["pairs"][3] = [7, 1]
    refused("--resume", input="pairs.h5", code=3, words=["out.h5.part", "cannot be resumed"])
    with open("out.h5.part", "r+b") as file:
        file.write(b"no HDF5 file")
    done = run("--resume")
    assert done.code == 3 and len(done.errors) == 1 and "out.h5.part" in done.errors[0], done.words


def stops_by(number, rank=None, may_return=(75,)):
    n = make_input()
    expected = reference()
    run_ = Running(ranks=3)
    run_.wait_for_rows()
    started = time.monotonic()
    if rank is None:
        run_.process.send_signal(number)
    else:
        os.kill(run_.ranks()[rank], number)
    done = run_.end()
    elapsed = time.monotonic() - started
    run_.wait_for_end_of_ranks()
    assert done.code in may_return and elapsed < 5, f"{elapsed:.1f} s: {done.words}"
    says_how_to_resume(done)
    assert not done.errors, done.words
    part_is_whole(n)
    assert 0 < pending() < n, "stopped before or after everything"
    print(f"{number.name} to {'mpirun' if rank is None else rank}: {n - pending()} of {n} done, {elapsed:.1f} s")
    resumes_to(expected, ranks=2)


def signals_mpirun():
    stops_by(signal.SIGUSR1)
    os.remove("out.h5")
    stops_by(signal.SIGUSR2)


def signals_mpirun_ends():
    """mpirun returns 1 whatever the ranks do, and kills them after 2 s: they must be quicker."""
    stops_by(signal.SIGTERM, may_return=(1, 75, 130, 143))
    os.remove("out.h5")
    stops_by(signal.SIGINT, may_return=(1, 75, 130, 143))


def signals_one_rank():
    numbers = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT]
    for i, number in enumerate(numbers):
        stops_by(number, rank=i % 3)
        os.remove("out.h5")


def limits():
    """--time-limit, what the batch system tells, --max-failed."""
    n = make_input()
    expected = reference()
    for options, env, words in ((["--time-limit", "0.5"], {}, "time limit of 0.5 s"),
                                ([], {"SLURM_JOB_END_TIME": str(int(time.time()) + 1)}, "SLURM"),
                                ([], {"PBS_WALLTIME": "1"}, "PBS"),
                                (["--time-limit", "0.5"], {"SLURM_JOB_END_TIME": "9999999999"}, "time limit")):
        done = run(*options, ranks=2, env=env)
        assert done.code == 75 and words in done.out, done.words
        says_how_to_resume(done)
        part_is_whole(n)
        resumes_to(expected, env={"SLURM_JOB_END_TIME": "9999999999"})
        os.remove("out.h5")
    with h5py.File("in.h5", "r+") as file:
        del file["templates"]
        file["templates"] = np.full((5, 150, 160), np.nan, "f4")
    done = run("--max-failed", "3", ranks=2)
    assert done.code == 75 and "--max-failed 3" in done.out, done.words
    says_how_to_resume(done)
    resumes_to(reference(), code=6)
    os.remove("out.h5")
    assert run("--max-failed", str(n)).code == 6


def killed():
    """SIGKILL of each rank, of mpirun, of all."""
    n = make_input()
    expected = reference()
    for victim in (0, 1, 2, "mpirun", "all"):
        run_ = Running(ranks=3)
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
    n = make_input(images=12)
    expected = reference()
    for call, path, number in (("pwrite", "out.h5.part", errno.ENOSPC), ("pwrite", "out.h5.part", errno.EIO),
                               ("fdatasync", "out.h5.part", errno.EIO), ("fsync", "out.h5.part", errno.EIO),
                               ("rename", "out.h5.part", errno.EROFS)):
        calls = count_calls(call, path, ranks=2)
        for at in sorted({1, calls // 2 + 1, calls}):
            done = run("--overwrite", shim={"call": call, "path": path, "at": at, "action": number}, ranks=2)
            assert done.code == 4 and len(done.errors) == 1, (call, at, calls, done.words)
            if call == "pwrite" and path.endswith(".part"):
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


def read_errors():
    """EIO in the middle of the pixels: those pairs are unreadable, the others as ever, exit 6, nothing is hidden."""
    n = make_input(images=10)
    expected = reference()
    for ranks, read, rank in ((1, "root", 0), (3, "root", 0), (2, "all", 0)):
        calls = count_calls("pread", "in.h5", "--read", read, ranks=ranks)
        done = run("--read", read, "--overwrite", ranks=ranks,
                   shim={"call": "pread", "path": "in.h5", "rank": rank, "at": calls - 5, "action": errno.EIO})
        assert done.code == 6 and not done.errors, done.words
        with h5py.File("out.h5") as file, h5py.File("reference.h5") as good:
            lost = file["status"][()] == 4
            assert 0 < lost.sum() < n, lost.sum()
            for name in ("coords", "peaks", "status", "offsets", "overlap"):
                assert (file[name][()][~lost] == good[name][()][~lost]).all(), name
            assert (file["coords"][()][lost] == -1).all()
    assert len(expected) > 0


def input_changes():
    """Deleted, replaced or truncated under a run: the right answer, or `unreadable`; never a wrong one."""
    n = make_input()
    expected = reference()
    shutil.copy("in.h5", "keep.h5")
    for change in ("deleted", "replaced", "truncated"):
        for ranks, read in ((2, "root"), (3, "all")):
            shutil.copy("keep.h5", "in.h5")
            run_ = Running("--overwrite", "--read", read, ranks=ranks)
            run_.wait_for_rows()
            if change == "deleted":
                os.remove("in.h5")
            elif change == "replaced":
                make_input("new.h5", seed=5)
                os.rename("new.h5", "in.h5")
            else:
                os.truncate("in.h5", os.path.getsize("in.h5") // 3)
            done = run_.end()
            if change == "truncated":
                assert done.code == 6, done.words
                with h5py.File("out.h5") as file, h5py.File("reference.h5") as good:
                    lost = file["status"][()] == 4
                    assert 0 < lost.sum() < n
                    for name in ("coords", "peaks", "status"):
                        assert (file[name][()][~lost] == good[name][()][~lost]).all(), (read, name)
                    print(f"truncated, --read {read}: {lost.sum()} of {n} unreadable")
            else:
                assert done.code == 0 and tables() == expected, (change, done.words)


def crash_on_opening():
    """A file on which HDF5 crashes or hangs costs a line, in any number of ranks, and leaves nothing behind."""
    small_input()
    for ranks in (1, 2):
        for action, words in (("kill", "crashed"), ("hang", "not come to an end")):
            done = run(ranks=ranks, env={"MPIXCORR_PROBE_S": "1"},
                       shim={"call": "pread", "path": "in.h5", "command": "probe-input", "action": action})
            assert done.code == 3 and len(done.errors) == 1 and words in done.errors[0], done.words
            assert os.listdir(".") == ["in.h5"]


def flipped_bytes():
    """An input with damaged metadata ends in order, whatever is wrong with it."""
    small_input()
    with open("in.h5", "rb") as file:
        good = file.read()
    rng = np.random.default_rng(4)
    places = sorted(set(range(0, 96, 8)) | set(rng.integers(96, 4000, 24).tolist()))
    codes = {}
    for place in places:
        bad = bytearray(good)
        bad[place] ^= int(rng.integers(1, 256))
        with open("in.h5", "wb") as file:
            file.write(bad)
        done = run("--overwrite")
        assert done.code in (0, 3, 6), f"byte {place}: {done.words}"
        assert len(done.errors) == (done.code == 3), f"byte {place}: {done.words}"
        codes[done.code] = codes.get(done.code, 0) + 1
    print(f"{len(places)} files, by exit code: {codes}")


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
    make_input(images=300)
    expected = reference()
    run_ = Running(ranks=2)
    while not os.path.exists("out.h5.part"):
        assert run_.process.poll() is None
        time.sleep(0.01)
    stopped = run_.ranks().values()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)  # it must not end before the others have tried
    for option in ("--resume", "--overwrite", None):
        done = run(*([option] if option else []))
        assert done.code == 4 and len(done.errors) == 1, done.words
        assert "in use by another run" in done.errors[0] or not option, done.errors
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
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
            assert len(done.errors) == 1 and "memory" in done.errors[0], done.words
        if os.path.exists("out.h5.part"):
            part_is_whole(n)
            os.remove("out.h5.part")
    assert failures > 0, "no limit was low enough to mean anything"


def hanging_rank():
    """A rank that no longer answers is named, and the job ends, resumable."""
    n = make_input(images=60)
    expected = reference()
    for rank in (1, 2):
        run_ = Running(ranks=3, env={"MPIXCORR_PATIENCE_S": "3"})
        run_.wait_for_rows()
        os.kill(run_.ranks()[rank], signal.SIGSTOP)
        done = run_.end()
        run_.wait_for_end_of_ranks()
        assert done.code == 75 and len(done.errors) == 1, done.words
        for word in (f"rank {rank} on {os.uname().nodename}", "hand-out", "row", "--resume"):
            assert word in done.errors[0], done.errors
        print(done.errors[0])
        part_is_whole(n)
        assert 0 < pending() < n
        resumes_to(expected)
        os.remove("out.h5")
    # reading that hangs is rank 0's
    calls = count_calls("pread", "in.h5", ranks=2)
    run_ = Running(ranks=2, env={"MPIXCORR_PATIENCE_S": "3"},
                   shim={"call": "pread", "path": "in.h5", "rank": 0, "at": calls - 20, "action": "hang"})
    done = run_.end()
    run_.wait_for_end_of_ranks()
    assert done.code == 75 and len(done.errors) == 1 and "rank 0" in done.errors[0], done.words
    print(done.errors[0])
    resumes_to(expected)


def patience():
    """A rank that is slow, or a job that was suspended as a whole, is not taken for one that hangs."""
    make_input(images=30)
    expected = reference()
    run_ = Running(ranks=3, env={"MPIXCORR_PATIENCE_S": "3"})
    run_.wait_for_rows()
    ranks = list(run_.ranks().values())
    for pid in ranks:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(5)
    for pid in ranks:
        os.kill(pid, signal.SIGCONT)
    done = run_.end()
    assert done.code == 0 and tables() == expected, done.words


if __name__ == "__main__":
    main({name: case for name, case in globals().items() if callable(case)})
