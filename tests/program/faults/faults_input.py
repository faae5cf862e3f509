#!/usr/bin/env python3
"""An input that cannot be read, changes under a run, or crashes HDF5 costs at most the pairs that need it.

faults_input.py CASE
"""
import errno
import os
import shutil

import h5py
import numpy as np

from faults_common import (Running, at_gate, count_calls, main, make_gate, make_input, open_gate, reference, run,
                           small_input, tables)

PIXELS = {"call": "pread", "path": "in.h5", "after": "out.h5.part"}  # reads of the work


def half_way(*options, ranks):
    """How many reads are sure to be made by one of the ranks, about half of those of a rank."""
    return max(1, count_calls("pread", "in.h5", *options, after="out.h5.part", rank="", ranks=ranks) // (2 * ranks))


def read_errors():
    """EIO in the middle of the pixels: those pairs are unreadable, the others as ever, exit 6, nothing is hidden."""
    n = make_input(images=10)
    reference()
    for ranks, read in ((1, "root"), (3, "root"), (2, "all")):
        at = half_way("--read", read, ranks=1 if read == "root" else ranks)
        done = run("--read", read, "--overwrite", ranks=ranks, shim={**PIXELS, "at": at, "action": errno.EIO})
        assert done.code == 6 and not done.errors, done.words
        only_lost_differ(n)


def one_read_error():
    """A single read that fails costs the pairs that need it alone, whoever reads: not those that are read after it. Few
    small planes of 12-bit numbers are read by HDF5, through whatever buffers it keeps."""
    rng = np.random.default_rng(1)
    twelve_bits = h5py.h5t.NATIVE_UINT16.copy()
    twelve_bits.set_precision(12)
    with h5py.File("in.h5", "w") as file:
        for name, shape in (("images", (6, 40, 44)), ("templates", (5, 9, 8))):
            h5py.h5d.create(file.id, name.encode(), twelve_bits, h5py.h5s.create_simple(shape))
            file[name][()] = rng.integers(0, 4096, shape, "u2")
        file["pairs"] = np.array([(i, t) for i in range(6) for t in range(5)])
    reference()
    calls = count_calls("pread", "in.h5", after="out.h5.part")
    for at in range(1, calls + 1):
        done = run("--overwrite", shim={**PIXELS, "at": at, "times": 1, "action": errno.EIO})
        assert done.code == 6 and not done.errors, done.words
        only_lost_differ(30)
    print(f"each of {calls} reads failed once")


def short_reads():
    """A read may give less than it was asked for, or be interrupted: it goes on."""
    make_input(images=6)
    expected = reference()
    for ranks, read in ((1, "root"), (2, "all")):
        for shim in ({"action": "short"}, {"action": errno.EINTR, "at": 2, "times": 3}):
            done = run("--read", read, "--overwrite", ranks=ranks, shim={**PIXELS, **shim})
            assert done.code == 0 and tables() == expected, (shim, done.words)


def only_lost_differ(n):
    """Some rows of out.h5 are unreadable; the others are those of reference.h5."""
    with h5py.File("out.h5") as file, h5py.File("reference.h5") as good:
        lost = file["status"][()] == 4
        assert 0 < lost.sum() < n, lost.sum()
        for name in ("coords", "peaks", "status", "offsets", "overlap"):
            assert (file[name][()][~lost] == good[name][()][~lost]).all(), name
        assert (file["coords"][()][lost] == -1).all()
        print(f"{lost.sum()} of {n} unreadable")


def input_changes():
    """Deleted, replaced or truncated under a run: the right answer, or `unreadable`; never a wrong one."""
    for chunks, changes in ((None, ("deleted", "replaced", "truncated")), ((240, 250), ("truncated",))):  # by HDF5
        n = make_input(chunks=chunks)
        input_changes_by(changes, n, reference())


def input_changes_by(changes, n, expected):
    shutil.copy("in.h5", "keep.h5")
    moments = [(2, "root", half_way("--read", "root", ranks=1)), (3, "all", half_way("--read", "all", ranks=3))]
    for ranks, read, at in moments:
        for change in changes:
            shutil.copy("keep.h5", "in.h5")
            make_gate()
            run_ = Running("--overwrite", "--read", read, ranks=ranks,
                           shim={**PIXELS, "at": at, "action": "wait", "gate": "gate"})
            run_.wait_until(lambda: any(at_gate(rank) for rank in range(3)), "a rank half way")
            if change == "deleted":
                os.remove("in.h5")
            elif change == "replaced":
                make_input("new.h5", seed=5)
                os.rename("new.h5", "in.h5")
            else:
                os.truncate("in.h5", os.path.getsize("in.h5") // 8)
            open_gate()
            done = run_.end()
            for rank in range(3):
                if at_gate(rank):
                    os.remove(f"gate.{rank}")
            if change == "truncated":
                assert done.code == 6, done.words
                only_lost_differ(n)
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


def crash_on_reading():
    """A library that crashes on a source or on the input's pixels costs the run, and a line that names the file; what
    was done before can be resumed. A crash that has nothing to do with a file leaves a stack."""
    make_input(images=6)
    with h5py.File("in.h5") as file, h5py.File("a.h5", "w") as sources, h5py.File("named.h5", "w") as named:
        sources.create_dataset("d", data=np.stack([file[f"images/{i}"] for i in range(6)]), chunks=(1, 60, 250),
                               compression="gzip")
        named["images"] = np.array([f"a.h5/d[{i}]".encode() for i in range(6)])
        named["templates"], named["pairs"] = file["templates"][()], file["pairs"][()]
    expected = reference()
    for input, source in (("named.h5", "a.h5"), ("in.h5", "in.h5")):
        for ranks in (1, 3):
            for after in ("", "out.h5.part"):
                done = run(input=input, ranks=ranks,
                           shim={"call": "pread", "path": source, "after": after, "at": 2, "action": "crash"})
                assert done.code == 1 and len(done.errors) == 1, done.words
                assert source in done.errors[0] and "crashed" in done.errors[0], done.words
                done = run("--resume", input=input)
                assert done.code == 0 and tables() == expected, done.words
                os.remove("out.h5")
    done = run("--overwrite", shim={"call": "transform", "path": "", "action": "crash"})
    assert done.code == -4 and "crashed" not in done.words and "mpixcorr(" in done.err, done.words


def glutton_on_opening():
    """A file for which HDF5 takes ever more memory: the child has been given less than any takes, and hangs."""
    small_input()
    done = run(env={"MPIXCORR_PROBE_MIB": "1"},
               shim={"call": "pread", "path": "in.h5", "command": "probe-input", "action": "hang"})
    assert done.code == 3 and len(done.errors) == 1 and "more than 1 MiB" in done.errors[0], done.words
    assert os.listdir(".") == ["in.h5"]


def trial_is_no_rank():
    """The child that opens the input first has nothing of what a launcher told its parent, and the rest of it."""
    small_input()
    make_gate()
    launchers = ("OMPI_", "PMIX_", "PMI_", "SLURM_", "ORTE_", "PRTE_")
    run_ = Running(ranks=2, env={**{name + "NOTHING": "1" for name in launchers}, "KEPT": "1"},
                   shim={"call": "pread", "path": "in.h5", "command": "probe-input", "action": "wait", "gate": "gate"})
    run_.wait_until(lambda: at_gate(0), "a trial")
    environments = {}
    for pid in run_.processes():
        with open(f"/proc/{pid}/cmdline", "rb") as file, open(f"/proc/{pid}/environ", "rb") as variables:
            trial = b"\0probe-input\0" in file.read()
            environments.setdefault(trial, []).append(variables.read().decode().split("\0"))
    assert len(environments[True]) == 1 and len(environments[False]) == 2, environments
    assert "KEPT=1" in environments[True][0], environments[True]
    for name in launchers:
        assert all(f"{name}NOTHING=1" in variables for variables in environments[False]), "the test tells nothing"
        assert not any(variable.startswith(name) for variable in environments[True][0]), environments[True]
    open_gate()
    done = run_.end()
    assert done.code == 0, done.words


def a_part():
    """out.h5.part as a run left it that was killed when its first rows were written, and in.h5."""
    n = small_input()
    done = run(shim={"call": "fdatasync", "path": "out.h5.part", "action": "kill"})
    assert done.code == -9 and os.path.exists("out.h5.part"), done.words
    return n


def crash_on_resuming():
    """A part on which HDF5 crashes or hangs costs a line too, and is left alone."""
    expected = (a_part(), reference())[1]
    for action, words in (("kill", "crashed"), ("hang", "not come to an end")):
        done = run("--resume", env={"MPIXCORR_PROBE_S": "1"},
                   shim={"call": "pread", "path": "out.h5.part", "command": "probe-output", "action": action})
        assert done.code == 3 and len(done.errors) == 1 and words in done.errors[0], done.words
        assert "out.h5.part" in done.errors[0], done.errors
    done = run("--resume")
    assert done.code == 0 and tables() == expected, done.words


def flip_bytes(path, *options):
    """Runs with a file in which one byte is wrong, many times: each ends in order, whatever is wrong with it."""
    with open(path, "rb") as file:
        good = file.read()
    rng = np.random.default_rng(4)
    places = sorted(set(range(0, 96, 8)) | set(rng.integers(96, min(4000, len(good)), 24).tolist()))
    codes = {}
    for place in places:
        bad = bytearray(good)
        bad[place] ^= int(rng.integers(1, 256))
        with open(path, "wb") as file:
            file.write(bad)
        done = run(*options)
        assert done.code in (0, 3, 6), f"byte {place}: {done.words}"
        assert len(done.errors) == (done.code == 3), f"byte {place}: {done.words}"
        codes[done.code] = codes.get(done.code, 0) + 1
        if os.path.exists("out.h5"):
            os.remove("out.h5")
    assert codes.get(3, 0) > 3, codes
    print(f"{path}: {len(places)} files, by exit code: {codes}")


def flipped_bytes():
    small_input()
    flip_bytes("in.h5")


def flipped_bytes_of_a_part():
    a_part()
    flip_bytes("out.h5.part", "--resume")


if __name__ == "__main__":
    main({name: case for name, case in globals().items() if callable(case)})
