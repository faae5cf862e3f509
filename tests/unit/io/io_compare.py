#!/usr/bin/env python3
"""`mpixcorr info` and `mpixcorr compare` tell good from bad: io_compare.py IO_TOOL, the program in $MPIXCORR"""
import os
import shutil

import h5py
import numpy as np

from io_common import main, tool
from launch import MPIXCORR, launch

N = 70


def prepare(path="in.h5", n=N):
    """An input with known answers that are what io_tool writes, and an output with every status."""
    row = np.arange(n)
    pairs = np.stack([row % 2, row % 3], 1)
    pairs[10] = [-1, 0]
    status = np.where(row % 7 == 0, 1, row % 7)
    known = np.isin(status, [1, 2, 5]) & (pairs >= 0).all(1)
    with h5py.File(path, "w") as file:
        file["images"] = np.ones((2, 20, 30), "u1")
        file["templates"] = np.ones((3, 5, 6), "u1")
        file["pairs"] = pairs
        file["expected/coords"] = np.where(known[:, None], np.stack([row % 5, row % 11], 1), -1)
        file["expected/peaks"] = np.where(known, 1 / (row + 1), np.nan)
    return status


def results(path="out.h5", source="in.h5", *options):
    done = tool("write", source, path, "new", *options)
    assert done.returncode == 0, done.stderr


def program(*arguments, code=0, words=(), errors=()):
    done = launch([MPIXCORR, *arguments])
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stdout, (word, done.stdout)
    for word in errors:
        assert word in done.stderr, (word, done.stderr)
    assert len(done.stderr.splitlines()) == (1 if errors else 0), done.stderr
    return done.stdout


def change(path, **rows):
    """A copy of out.h5 with some values of some datasets replaced: coords={3: [1, 2]}."""
    shutil.copy("out.h5", path)
    with h5py.File(path, "r+") as file:
        for name, values in rows.items():
            for row, value in values.items():
                file[name][row] = value


def the_same():
    prepare()
    results()
    results("again.h5")
    program("compare", "out.h5", "again.h5", "--peak-tolerance", "0", words=["\nthe same", "no answer"])
    program("compare", "out.h5", "in.h5", words=["known answers", "\nthe same"])
    program("compare", "in.h5", "out.h5", words=["\nthe same"])


def differences():
    status = prepare()
    results()
    ok, failed = np.flatnonzero(status == 1)[2], np.flatnonzero(status == 3)[2]
    with h5py.File("out.h5") as file:
        y, x = file["coords"][ok]
        peak = file["peaks"][ok]
    for name, rows in {"coordinates": {"coords": {ok: [y + 2, x]}}, "peak": {"peaks": {ok: peak + 1e-6}},
                       "no number": {"peaks": {ok: np.nan}}, "status": {"status": {ok: 2}},
                       "failure": {"status": {ok: 4}}, "pending": {"status": {ok: 0}},
                       "other failure": {"status": {failed: 4}}}.items():
        change("b.h5", **rows)
        out = program("compare", "out.h5", "b.h5", code=1, words=["The 1 that differ", "\ndifferent"])
        assert any(line.split()[:1] == [str(failed if name == "other failure" else ok)]
                   for line in out.splitlines()), (name, out)
    for rows in ({"coords": {ok: [y, x + 1]}}, {"peaks": {ok: peak - 1e-6}}, {"peaks": {ok: np.nan}},
                 {"status": {ok: 4}}):
        change("b.h5", **rows)
        program("compare", "b.h5", "in.h5", code=1, words=["The 1 that differ"])


def tolerances():
    status = prepare()
    results()
    ok = np.flatnonzero(status == 1)[3]
    with h5py.File("out.h5") as file:
        y, x = file["coords"][ok]
        peak = file["peaks"][ok]
    change("b.h5", coords={ok: [y + 2, x - 1]}, peaks={ok: peak + 1e-6})
    program("compare", "out.h5", "b.h5", "--coord-tolerance", "2", "--peak-tolerance", "2e-6", words=["the same"])
    program("compare", "out.h5", "b.h5", "--coord-tolerance", "1", "--peak-tolerance", "2e-6", code=1)
    program("compare", "out.h5", "b.h5", "--coord-tolerance", "2", code=1)
    change("b.h5", peaks={ok: peak + 1e-10})
    program("compare", "out.h5", "b.h5", words=["the same"])
    program("compare", "out.h5", "b.h5", "--peak-tolerance", "0", code=1)


def what_cannot_be_compared():
    prepare()
    results()
    prepare("short.h5", N - 1)
    results("short_out.h5", "short.h5")
    program("compare", "out.h5", "short_out.h5", code=3, errors=["out.h5: /pairs: 70 rows found, short_out.h5 has 69"])
    program("compare", "out.h5", "short.h5", code=3, errors=["70 rows found"])
    change("b.h5", pairs={4: [1, 1]})
    program("compare", "out.h5", "b.h5", code=3, errors=["/pairs row 4: (0, 1) found, b.h5 has (1, 1)"])
    program("compare", "in.h5", "in.h5", code=3, errors=["two input files"])
    with h5py.File("in.h5", "r+") as file:
        del file["expected"]
    program("compare", "out.h5", "in.h5", code=3, errors=["in.h5: an input file without /expected"])
    program("compare", "out.h5", "none.h5", code=3, errors=["none.h5: cannot be opened"])
    with h5py.File("out.h5", "r+") as file:
        del file["peaks"]
    program("compare", "out.h5", "b.h5", code=3, errors=["out.h5: /peaks: "])


def check_of_outputs():
    prepare()
    results("part", "in.h5", "rows=20")
    program("info", "part.part", "--check", code=1, errors=["part.part: not complete: 49 of 70 pairs are pending"])
    program("info", "part.part", words=["partial output file", "49 pending"])
    results()
    program("info", "out.h5", "--check", words=["complete, 70 pairs"])
    program("info", "out.h5", words=["complete output file", "70: ", "20 ok", "11 invalid", "command_line", "peaks"])
    shutil.copy("out.h5", "b.h5")
    with h5py.File("b.h5", "r+") as file:
        file["run"]["complete"] = 0
    program("info", "b.h5", "--check", code=1, errors=["b.h5: not complete: all pairs are done"])
    for name, value in (("format_version", 7), ("format", np.bytes_("x"))):
        shutil.copy("out.h5", "b.h5")
        with h5py.File("b.h5", "r+") as file:
            file.attrs.modify(name, value)
        program("info", "b.h5", "--check", code=1, errors=["b.h5: "])
    for keep in (10, 3000, os.path.getsize("out.h5") - 1):
        shutil.copy("out.h5", "b.h5")
        os.truncate("b.h5", keep)
        program("info", "b.h5", "--check", code=1, errors=["b.h5: "])
    program("info", "in.h5", "--check", code=1, errors=["in.h5: an input file found, expected a complete output"])


def info_of_inputs():
    prepare()
    program("info", "in.h5", words=["images     2 of 20 x 30 pixels, u8", "templates  3 of 5 x 6 pixels, u8",
                                    "pairs      70 rows, of which 1 hold no pair", "coordinates and peaks"])
    with h5py.File("b.h5", "w") as file:
        file["images/3"] = np.ones((20, 30), "f4")
        file["images/7"] = np.ones((10, 40), "u2")
        file["templates"] = np.array([[3, 0, 0, 5, 6]])
        file["pairs"] = np.zeros((0, 2), "i4")
        file["search"] = np.zeros((0, 4), "i4")
    program("info", "b.h5", words=["2 (ids from 3 to 7, with gaps) of 10 x 40 to 20 x 30 pixels, u16 f32",
                                   "templates  1 of 5 x 6 pixels, f32, boxes cut from images", "a window for every"])
    program("info", "none.h5", code=3, errors=["none.h5: cannot be opened: No such file or directory"])


if __name__ == "__main__":
    main(the_same, differences, tolerances, what_cannot_be_compared, check_of_outputs, info_of_inputs)
