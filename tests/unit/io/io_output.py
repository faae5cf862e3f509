#!/usr/bin/env python3
"""Outputs hold what the file format says, survive kills, and are never written by two runs: io_output.py IO_TOOL"""
import os
import re
import shutil
import signal
import subprocess
import time

import h5py
import numpy as np

from io_common import TOOL, main, tool

TABLES = ["pairs", "coords", "offsets", "peaks", "overlap", "status", "at_border"]
QUALITY = ["subpixel", "subpixel_offsets", "curvature", "second_coords", "second_peaks"]
STATUSES = {"pending": 0, "ok": 1, "flat": 2, "nonfinite": 3, "unreadable": 4, "uncertain": 5, "invalid": 6,
            "masked": 7}


def write_input(n, path="in.h5"):
    rng = np.random.default_rng(3)
    pairs = np.stack([rng.integers(0, 4, n), rng.integers(0, 6, n)], 1)
    pairs[5::50] = [-1, 2]
    with h5py.File(path, "w") as file:
        for i in range(4):
            file[f"images/{i}"] = rng.integers(0, 255, (16 + i, 20), dtype="u1")
        file["templates"] = rng.integers(0, 255, (6, 4, 7), dtype="u1")
        file["pairs"] = pairs
    return pairs


def expected_rows(pairs):
    """What io_tool answers, derived independently."""
    n = len(pairs)
    row = np.arange(n)
    status = np.where(row % 7 == 0, 1, row % 7)
    status[(pairs < 0).any(1)] = 6
    good = np.isin(status, [1, 2, 5])
    coords = np.stack([row % 5, row % 11], 1)
    offsets = coords - [3, 6]
    coords[~good], offsets[~good] = -1, -1
    return {"pairs": pairs, "coords": coords, "offsets": offsets, "status": status,
            "peaks": np.where(good, 1 / (row + 1), np.nan),
            "overlap": np.where(good, 0.75 / (row + 1), np.nan).astype("f4"), "at_border": good & (row % 2 == 0)}


def read(path):
    with h5py.File(path, "r") as file:
        known = dict(file.attrs) | {name: file["run"][name] for name in file["run"].dtype.names}
        return {name: file[name][()] for name in file if name != "run"}, known


def data_bytes(path):
    return {name: table.tobytes() for name, table in read(path)[0].items()}


def run(*arguments, code=0):
    done = tool("write", *arguments)
    assert done.returncode == code, (done.returncode, done.stderr)
    return done


def refused(*arguments, code, words):
    done = run(*arguments, code=code)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("mpixcorr: warning")]
    assert len(lines) == 1 and lines[0].startswith("mpixcorr: "), done.stderr
    for word in words:
        assert word in lines[0], (word, lines[0])
    print("   ", lines[0])


def datasets_and_types():
    pairs = write_input(1000)
    run("in.h5", "out.h5", "new")
    assert sorted(os.listdir(".")) == ["in.h5", "out.h5"]
    expected = expected_rows(pairs)
    with h5py.File("out.h5") as file:
        assert sorted(file) == sorted([*TABLES, "run"])
        for name, table in expected.items():
            np.testing.assert_array_equal(file[name][()], table, name)
            assert file[name].chunks is None
        assert h5py.check_enum_dtype(file["status"].dtype) == STATUSES and file["status"].dtype == "u1"
        types = {name: file[name].dtype.str for name in TABLES if name != "status"}
        assert types == {"pairs": "<i8", "coords": "<i8", "offsets": "<i8", "peaks": "<f8", "overlap": "<f4",
                         "at_border": "|u1"}
    run("in.h5", "quality.h5", "new", "quality=1")
    tables, _ = read("quality.h5")
    assert sorted(tables) == sorted(TABLES + QUALITY)
    row = 7
    assert tables["subpixel"][row].tolist() == [row % 5 + 0.25, row % 11 - 0.25]
    place = tables["subpixel"][row] - tables["coords"][row] + tables["offsets"][row]
    assert tables["subpixel_offsets"][row].tolist() == place.tolist()
    assert tables["curvature"][row].tolist() == [-0.5, -0.5 / 8]
    assert tables["second_coords"][row].tolist() == [row % 3, row % 4] and tables["second_peaks"][row] == 0.5 / 8
    failed = tables["status"] == 3
    assert all(np.isnan(tables[name][failed]).all() for name in ("subpixel", "subpixel_offsets", "curvature"))
    assert (tables["second_coords"][failed] == -1).all()


def attributes():
    write_input(10)
    run("in.h5", "out.h5", "new")
    attrs = read("out.h5")[1]
    print("   ", attrs)
    expected = {"format": b"mpixcorr output", "format_version": 2, "program": b"mpixcorr", "program_commit": b"0123456",
                "command_line": b"io_tool write", "options": b"--all=1", "result_options": b"--eps=0", "ranks": 3,
                "nodes": 2, "threads_per_rank": 1, "devices": b"cpu", "engine": b"none", "fft_library": b"none",
                "input_size_bytes": os.path.getsize("in.h5"), "elapsed_s": 1.5, "reading_s": 0.25,
                "planning_s": 0.125, "computing_s": 1, "waiting_s": 0.0625, "writing_s": 0.03125, "resumes": 0,
                "complete": 1, "input_path": os.path.realpath("in.h5").encode()}
    for name, value in expected.items():
        assert attrs[name] == value, (name, attrs[name])
    for name in ("start_time", "end_time", "input_modified"):
        assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", attrs[name]), (name, attrs[name])
    assert len(attrs["input_fingerprint"]) == 64 and len(attrs["program_version"]) > 4


def no_pairs():
    write_input(0)
    run("in.h5", "out.h5", "new")
    tables, attrs = read("out.h5")
    assert attrs["complete"] == 1 and tables["coords"].shape == (0, 2) and tables["peaks"].shape == (0,)
    run("in.h5", "part.h5", "new", "quality=1")


def part_of_an_unfinished_run():
    pairs = write_input(1000)
    run("in.h5", "out.h5", "new", "rows=300")
    assert sorted(os.listdir(".")) == ["in.h5", "out.h5.part"]
    subprocess.run(["h5dump", "-H", "out.h5.part"], check=True, stdout=subprocess.DEVNULL)
    tables, attrs = read("out.h5.part")
    assert attrs["complete"] == 0 and attrs["end_time"] == b"" and np.isnan(attrs["elapsed_s"])
    done = tables["status"] != 0
    assert done.sum() == 300 + (pairs < 0).any(1).sum()  # rows without a pair are answered at once
    for name, table in expected_rows(pairs).items():
        np.testing.assert_array_equal(tables[name][done], table[done], name)
    pending = ~done
    assert (tables["coords"][pending] == -1).all() and (tables["offsets"][pending] == -1).all()
    assert np.isnan(tables["peaks"][pending]).all() and np.isnan(tables["overlap"][pending]).all()
    np.testing.assert_array_equal(tables["pairs"], pairs)
    resumed = run("in.h5", "out.h5", "resume")
    assert "written 680" in resumed.stdout and resumed.stderr == ""
    run("in.h5", "undisturbed.h5", "new")
    assert data_bytes("out.h5") == data_bytes("undisturbed.h5")
    assert read("out.h5")[1]["resumes"] == 1
    assert sorted(os.listdir(".")) == ["in.h5", "out.h5", "undisturbed.h5"]


def killed_again_and_again():
    pairs = write_input(3000)
    expected = expected_rows(pairs)
    rng = np.random.default_rng(int(time.time()))
    kills, ended = 0, False
    while not ended:  # by itself: one that is killed when out.h5 is complete may leave its lock to the next
        process = subprocess.Popen([TOOL, "write", "in.h5", "out.h5", "resume", "pause_us=30"],
                                   stdout=subprocess.DEVNULL)
        wait = rng.uniform(0, 0.06 + 0.02 * kills)
        try:
            process.wait(wait)
            ended = os.path.exists("out.h5")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        if not os.path.exists("out.h5.part"):
            continue
        tables, _ = read("out.h5.part")
        done = tables["status"] != 0
        for name, table in expected.items():
            np.testing.assert_array_equal(tables[name][done], table[done], name)
    print(f"    {kills} kills")
    assert kills > 3
    run("in.h5", "undisturbed.h5", "new")
    assert data_bytes("out.h5") == data_bytes("undisturbed.h5")
    assert not [name for name in os.listdir(".") if "part" in name]


def open_for_readers_while_it_is_written():
    write_input(100000)
    process = subprocess.Popen([TOOL, "write", "in.h5", "out.h5", "new", "hold=1"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    before = -1
    for _ in range(20):
        tables, attrs = read("out.h5.part")
        done = (tables["status"] != 0).sum()
        assert done >= before and attrs["complete"] == 0
        before = done
    while process.stdout.readline() != "holding\n":
        pass
    assert (read("out.h5.part")[0]["status"] != 0).all()
    process.kill()
    process.wait()
    run("in.h5", "out.h5", "resume")
    assert read("out.h5")[1]["complete"] == 1


def a_second_run_is_refused():
    write_input(100)
    process = subprocess.Popen([TOOL, "write", "in.h5", "out.h5", "new", "rows=10", "hold=1"], stdout=subprocess.PIPE,
                               text=True)
    while process.stdout.readline() != "holding\n":
        pass
    before = data_bytes("out.h5.part")
    for mode in ("new", "overwrite", "resume"):
        refused("in.h5", "out.h5", mode, code=4, words=["out.h5.part: in use by another run", f"process {process.pid}"])
    assert data_bytes("out.h5.part") == before
    process.kill()
    process.wait()
    assert os.path.exists("out.h5.part.lock")  # left by the kill, but no longer locked
    run("in.h5", "out.h5", "resume")
    assert sorted(os.listdir(".")) == ["in.h5", "out.h5"]


def existing_files():
    write_input(100)
    run("in.h5", "out.h5", "new")
    before = data_bytes("out.h5")
    refused("in.h5", "out.h5", "new", code=4, words=["out.h5: exists already"])
    assert "written 0" in run("in.h5", "out.h5", "resume").stdout  # complete: nothing to do
    assert data_bytes("out.h5") == before and sorted(os.listdir(".")) == ["in.h5", "out.h5"]
    run("in.h5", "out.h5", "overwrite", "rows=5")
    assert sorted(os.listdir(".")) == ["in.h5", "out.h5.part"]
    refused("in.h5", "out.h5", "new", code=4, words=["out.h5.part: a partial output exists already"])
    run("in.h5", "out.h5", "overwrite")
    assert data_bytes("out.h5") == before
    os.mkdir("folder")
    refused("in.h5", "folder", "new", code=4, words=["folder: a directory found"])
    refused("in.h5", "none/out.h5", "new", code=4, words=["none/out.h5", "No such file or directory"])
    refused("in.h5", "in.h5/out.h5", "new", code=4, words=["in.h5/out.h5"])


def resume_refuses_what_does_not_fit():
    write_input(100)
    run("in.h5", "out.h5", "new", "rows=10")
    shutil.copy("out.h5.part", "good")

    def check(*words, options=(), code=3):
        before = data_bytes("out.h5.part")
        refused("in.h5", "out.h5", "resume", *options, code=code, words=["out.h5.part: ", *words])
        assert data_bytes("out.h5.part") == before

    check("options that may change results differ", '"--eps=0"', '"--eps=1"', options=["--eps=1"])
    check("/subpixel", options=["quality=1"])
    shutil.copy("in.h5", "kept.h5")
    with h5py.File("in.h5", "r+") as file:
        file["images/0"][0, 0] ^= 1
    check("fingerprints of the input's content differ")
    shutil.copy("kept.h5", "in.h5")
    with h5py.File("out.h5.part", "r+") as file:
        file["pairs"][3] = [0, 5]
        file["pairs"][4] = [0, 5]
    check("/pairs row ")
    for name, value, words in (("format_version", 3, ["format version 3 found", "reads version 2"]),
                               ("numerics_revision", 999, ["numerics revision 999"]),
                               ("format", np.bytes_("other"), ["not an output file"])):
        shutil.copy("good", "out.h5.part")
        with h5py.File("out.h5.part", "r+") as file:
            file.attrs.modify(name, value)
        check(*words)
    shutil.copy("good", "out.h5.part")
    os.truncate("out.h5.part", os.path.getsize("good") // 2)
    done = run("in.h5", "out.h5", "resume", code=3)
    assert "truncated" in done.stderr, done.stderr
    shutil.copy("good", "out.h5.part")
    shutil.move("in.h5", "moved.h5")
    os.utime("moved.h5", (1, 1))
    done = run("moved.h5", "out.h5", "resume")
    assert done.stderr.count("\n") == 1 and "warning" in done.stderr and "moved.h5" in done.stderr
    assert read("out.h5")[1]["complete"] == 1


def fails_cleanly_on_a_full_disk():
    write_input(100000)
    os.mkdir("small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "small"], stderr=subprocess.DEVNULL).returncode:
        print("    left out: no right to mount a small file system")
        return
    try:
        refused("in.h5", "small/out.h5", "new", code=4, words=["small/out.h5.part.new"])
        assert os.listdir("small") == [], os.listdir("small")
    finally:
        subprocess.run(["umount", "small"], check=True)


if __name__ == "__main__":
    main(datasets_and_types, attributes, no_pairs, part_of_an_unfinished_run, killed_again_and_again,
         open_for_readers_while_it_is_written, a_second_run_is_refused, existing_files,
         resume_refuses_what_does_not_fit, fails_cleanly_on_a_full_disk)
