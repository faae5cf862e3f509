#!/usr/bin/env python3
"""Bad input on 2 ranks: exit 3 and no hang (a quiet machine takes about a second), exactly one line beginning
"mpixcorr: ", no output and no part file.

The line names the file, and what is wrong with it. Skipped (77) without the Python modules.
"""
import os
import sys
import tempfile
import time

from launch import MPIEXEC, MPIXCORR, h5py, launch, np

def write(path, **changes):
    """A good input with some objects replaced, or left out where the value is None; functions make objects."""
    rng = np.random.default_rng(1)
    good = {
        "images": rng.integers(0, 255, (2, 32, 40), dtype="u1"),
        "templates": rng.integers(0, 255, (3, 8, 9), dtype="u1"),
        "pairs": np.array([[0, 0], [1, 1], [0, 2]]),
    }
    with h5py.File(path, "w") as file:
        for name, value in {**good, **changes}.items():
            if callable(value):
                value(file, name)
            elif isinstance(value, dict):
                for key, array in value.items():
                    file[f"{name}/{key}"] = array
            elif value is not None:
                file[name] = value


def missing_dataset(path):
    write(path, templates=None)


def wrong_rank(path):
    write(path, images=np.zeros((32, 40), "u1"))


def float_pairs(path):
    write(path, pairs=np.array([[0.0, 0.0]]))


def id_out_of_range(path):
    write(path, pairs=np.array([[0, 0], [0, 3]]))


def id_below_minus_one(path):
    write(path, pairs=np.array([[0, 0], [-2, 1]]))


def template_larger_than_image(path):
    write(path, templates=np.ones((3, 33, 9), "u1"))


def good(path):
    write(path)


def truncated(path):
    write(path)
    os.truncate(path, os.path.getsize(path) // 2)


def text_file(path):
    with open(path, "w", encoding="ascii") as file:
        file.write("image,template\n0,0\n")


def no_file(path):
    assert not os.path.exists(path)


# what makes the input, options of the run, a word that the line must hold
CASES = [
    (missing_dataset, [], "/templates"),
    (wrong_rank, [], "/images"),
    (float_pairs, [], "/pairs"),
    (id_out_of_range, [], "/pairs"),
    (id_below_minus_one, [], "/pairs"),
    (template_larger_than_image, [], "template"),
    (good, ["--crop", "24,20"], "crop"),  # of 48 x 39 positions nothing is left
    (truncated, [], "truncated"),
    (text_file, [], "HDF5"),
    (no_file, [], "No such file"),
]


def fails_as_promised(make, options, word):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "input.h5")
        make(path)
        before = set(os.listdir(folder))
        command = [MPIEXEC, "-n", "2", MPIXCORR, "run"]
        command += [path, os.path.join(folder, "output.h5"), *options]
        start = time.monotonic()
        done = launch(command)
        elapsed = time.monotonic() - start
        lines = [line for line in done.stderr.splitlines() if line.startswith("mpixcorr: ")]
        left = set(os.listdir(folder)) - before
    good_line = len(lines) == 1 and "input.h5" in lines[0] and word in lines[0]
    passed = done.returncode == 3 and good_line and not left
    print(f"{'passed' if passed else 'FAILED'} {make.__name__} {' '.join(options)}: exit {done.returncode}, "
          f"{elapsed:.1f} s, left {sorted(left)}")
    print("\n".join(lines) if good_line else done.stderr)
    return passed


if __name__ == "__main__":
    sys.exit(not all([fails_as_promised(*case) for case in CASES]))
