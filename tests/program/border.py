#!/usr/bin/env python3
"""A peak at the border of what was searched is told: in /at_border, the table, the summary, the report and `info`, on any
number of ranks, and by a resumed run as well."""
import csv
import io
import json
import os

from cases import main
from launch import MPIXCORR, h5py, launch, np, on_ranks

IMAGE = np.random.default_rng(5).normal(size=(60, 70)).astype("f4")
PEAK = 33, 40  # of the template [20:34, 25:41], in the full correlation
FULL = (0, 0, 73, 85)
# windows, and whether the peak lies at their border
WINDOWS = [(FULL, 0), ((20, 30, 50, 60), 0), ((33, 30, 50, 60), 1), ((20, 40, 50, 60), 1), ((20, 30, 34, 60), 1),
           ((20, 30, 50, 41), 1), ((32, 39, 35, 42), 0), ((33, 40, 34, 41), 1), ((0, 0, 73, 41), 1), ((32, 0, 73, 85), 0)]


def make_input(path, windows=True):
    with h5py.File(path, "w") as file:
        file["images"] = IMAGE[None]
        file["templates"] = IMAGE[None, 20:34, 25:41]
        file["pairs"] = [(0, 0)] * len(WINDOWS) + [(-1, -1)]
        if windows:
            file["search"] = [window for window, _ in WINDOWS] + [FULL]


def run(*words, ranks=1, code=0, **environment):
    command = on_ranks(ranks) + [MPIXCORR, "run", *words, "--progress", "none"]
    done = launch(command, env={**os.environ, **environment})
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def stored(path):
    with h5py.File(path, "r") as file:
        assert file["at_border"].dtype == np.uint8
        return file["at_border"][:].tolist(), file["coords"][:-1].tolist()


def windows():
    make_input("in.h5")
    expected = [border for _, border in WINDOWS] + [0]
    for ranks in 1, 3:
        for read in "root", "all":
            text = run("in.h5", "out.h5", "--overwrite", "--report", "r.json", "--read", read, ranks=ranks)
            border, coords = stored("out.h5")
            assert border == expected and coords == [list(PEAK)] * len(WINDOWS), (border, coords)
            assert f"warning  {sum(expected)} peaks lie at the border" in text, text
            with open("r.json", encoding="utf-8") as file:
                assert json.load(file)["at_border"] == sum(expected)
    told = launch([MPIXCORR, "table", "out.h5", "--csv"]).stdout
    assert {int(row["row"]): int(row["at_border"]) for row in csv.DictReader(io.StringIO(told))} == dict(
        enumerate(expected[:-1]))
    told = launch([MPIXCORR, "table", "out.h5"]).stdout
    assert {int(line.split()[0]): int(" yes " in line) for line in told.splitlines()[1:]} == dict(enumerate(expected[:-1]))
    told = launch([MPIXCORR, "info", "out.h5"]).stdout
    assert f"border     {sum(expected)} of the peaks" in told, told


def crop_and_overlap():
    make_input("in.h5", windows=False)
    for words, expected in (([], 0), (["--crop", "0,33"], 1), (["--crop", "0,32"], 0), (["--crop", "40,0"], 1),
                            (["--min-overlap", "1"], 0)):
        text = run("in.h5", "out.h5", "--overwrite", *words)
        assert stored("out.h5")[0] == [expected] * len(WINDOWS) + [0], words
        assert ("at the border" in text) == bool(expected), text
    # the template's own corner of the full correlation is no border: nothing lies beyond it
    with h5py.File("in.h5", "r+") as file:
        del file["templates"]
        file["templates"] = IMAGE[None, :10, :10]
    run("in.h5", "out.h5", "--overwrite", "--min-overlap", "1")
    assert stored("out.h5")[0] == [0] * (len(WINDOWS) + 1)


def resumed():
    make_input("in.h5")
    run("in.h5", "out.h5")
    os.rename("out.h5", "out.h5.part")
    with h5py.File("out.h5.part", "r+") as file:  # rows that are pending do not count, whatever lies there
        file["status"][2:5] = 0
        file["run"]["complete"] = 0
        border = file["at_border"][:]
    text = run("in.h5", "out.h5", "--resume")
    assert stored("out.h5")[0] == border.tolist() and f"warning  {border.sum()} peaks lie at the border" in text, text


if __name__ == "__main__":
    main(windows, crop_and_overlap, resumed)
