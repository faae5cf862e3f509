#!/usr/bin/env python3
"""The tables beside the pixels: predictions (/near) search what the same windows do, names are counted before the work,
what is not known is named; and messages of files that are newer, or of a system that fails, give the reason."""
import os
import subprocess

from reading_common import MPIXCORR, PATIENCE_S, TABLES, h5py, main, np, run

RNG = np.random.default_rng(21)
ROWS, COLS = 40, 50


def write(path="in.h5", **tables):
    images = RNG.integers(1, 250, (4, ROWS, COLS)).astype("u1")
    with h5py.File(path, "w") as file:
        file["images"] = images
        file["templates"] = images[:, 10:21, 12:27]
        file["pairs"] = np.array([(i, j) for i in range(4) for j in range(4)])
        for name, values in tables.items():
            file[name] = values


def retable(path, **tables):
    with h5py.File(path, "r+") as file:
        for name, values in tables.items():
            if name in file:
                del file[name]
            if values is not None:
                file[name] = values


def command(*arguments, **how):
    return subprocess.run([MPIXCORR, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, **how)


def windows_of(near, m=11, n=15):
    """What the contract says: offsets within the radii, cut to the full correlation."""
    out = []
    for y, x, radius_y, radius_x in np.asarray(near).tolist():
        if radius_y < 0 or radius_x < 0:
            out.append((0, 0, ROWS + m - 1, COLS + n - 1))
            continue
        out.append((max(0, y - radius_y + m - 1), max(0, x - radius_x + n - 1), min(ROWS + m - 1, y + radius_y + m),
                    min(COLS + n - 1, x + radius_x + n)))
    return np.array(out)


def predictions_are_windows():
    far = 2**63 - 1
    near = np.array([(10, 12, 3, 3), (0, 0, 0, 0), (-5, -5, 6, 6), (30, 30, 8, 25), (10, 12, far, far), (far, far, far, far),
                     (-far, 0, far, 40), (10, 12, -1, 3), (10, 12, 3, -7), (-10, -14, 0, 0), (39, 49, 0, 0), (20, 20, 40, 2),
                     (10, 12, 3, 0), (11, 12, 2, 1), (10, 10, 4, 2), (12, 13, 5, 5)])
    write(near=near)
    found = {}
    for ranks, options in ((1, []), (2, ["--read", "root"]), (3, ["--read", "all"])):
        found[ranks] = run("in.h5", *options, ranks=ranks)
        assert found[ranks].code == 0, found[ranks].words
    retable("in.h5", near=None, search=windows_of(near))
    windows = run("in.h5")
    assert windows.code == 0, windows.words
    for ranks in found:
        for name in TABLES:
            assert found[ranks].tables[name] == windows.tables[name], (ranks, name)
    print("16 predictions as windows")


def predictions_that_do_not_fit():
    write(near=np.array([(10, 12, 3, 3)] * 15 + [(41, 0, 0, 0)]))
    done = run("in.h5")
    assert done.code == 3 and "/pairs row 15" in done.errors[0] and "prediction (41,0)" in done.errors[0], done.words
    done = run("in.h5", "--on-bad-pair", "skip")
    assert done.code == 6 and done.report["status"]["invalid"] == 1, done.words
    retable("in.h5", near=np.array([(10, 12, 3, 3)] * 16), search=np.array([(0, 0, 40, 40)] * 16))
    done = run("in.h5")
    assert done.code == 3 and "/search and /near found, expected at most one of them" in done.errors[0], done.words
    for bad, words in ((np.zeros((15, 4), "i4"), "[15, 4]"), (np.zeros((16, 4)), "expected integers")):
        retable("in.h5", near=bad, search=None)
        done = run("in.h5")
        assert done.code == 3 and "/near" in done.errors[0] and words in done.errors[0], done.words
    retable("in.h5", near=np.array([(10, 12, 0, 0)] * 16, "i2"))
    assert "near a prediction for every pair" in command("info", "in.h5").stdout
    done = command("map", "in.h5", "--pair", "5", "map.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File("map.h5", "r") as file:
        shape = next(file[name].shape for name in file if file[name].ndim == 2 and file[name].dtype.kind == "f")
    assert shape == (1, 1), shape


def strangers_are_named():
    write(image_weights=np.ones((4, ROWS, COLS), "u1"))
    done = run("in.h5")
    assert done.code == 0 and "/image_weights: not known to this version" in done.out + done.err, done.words
    assert "/image_weights" in command("info", "in.h5").stdout
    retable("in.h5", image_weights=None)
    assert "not known" not in run("in.h5").words


def names_are_counted_first():
    for label, values in (("image_names", np.array([b"a", b"b", b"c"])), ("template_names", np.array([b"a"] * 5)),
                          ("image_names", np.zeros(4, "i4")), ("template_names", np.array([[b"a"] * 4]))):
        write(**{label: values})
        done = run("in.h5")
        assert done.code == 3 and f"/{label}" in done.errors[0] and done.tables is None, done.words


def newer_files():
    write()
    with open("in.h5", "r+b") as file:
        file.seek(8)  # version of the superblock
        file.write(b"\x07")
    done = run("in.h5")
    assert done.code == 3 and len(done.errors) == 1 and "newer than 1." in done.errors[0] and "h5repack" in done.errors[0], done.words


def reasons_of_the_system():
    """errno is told where the call that failed set it, and never one that lay about."""
    write()
    arguments = ["run", "in.h5", "out.h5", "--progress", "none", "--overwrite"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([MPIXCORR, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
    assert done.returncode == 4 and "No space left on device" in done.stderr, done.stderr
    os.mkdir("folder")
    os.mkdir("tables")
    os.mkdir("tables/pairs.csv")
    np.save("tables/images.npy", np.zeros((2, 9, 9), "u1"))
    np.save("tables/templates.npy", np.zeros((2, 3, 3), "u1"))
    for arguments, words in ((["info", "folder"], "a directory found"), (["info", "nowhere.h5"], "No such file or directory"),
                             (["import", "tables", "made.h5"], "Is a directory"),
                             (["import", "in.h5", "made.h5"], "Not a directory")):
        done = command(*arguments)
        assert done.returncode != 0 and words in done.stderr, (arguments, done.stderr)


main(predictions_are_windows, predictions_that_do_not_fit, strangers_are_named, names_are_counted_first, newer_files,
     reasons_of_the_system)
