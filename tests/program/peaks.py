#!/usr/bin/env python3
"""Lists of peaks in a job: against direct sums in numpy; the same bytes on any ranks, threads and readers, and resumed; a
map, a comparison and `info` know them."""
import os
import signal
import subprocess
import tempfile
import time

from launch import MPIXCORR, PATIENCE_S, h5py, np, on_ranks

DATASETS = ("coords", "offsets", "peaks", "overlap", "status", "top_coords", "top_peaks", "second_coords", "second_peaks",
            "subpixel", "curvature")
OPTIONS = ("--peaks", "6", "--separation", "4", "--quality")


def program(*arguments, ranks=1, code=0, environment=None):
    done = subprocess.run([*on_ranks(ranks), MPIXCORR, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE_S, env={**os.environ, **(environment or {})})
    assert done.returncode == code, f"exit {done.returncode}: {done.stderr.decode()}"
    return done.stdout.decode() + done.stderr.decode()


def results(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in DATASETS}


def same(a, b):
    return [name for name in DATASETS if a[name].tobytes() != b[name].tobytes()]


def make(path):
    """Noise, a lattice, a blank image and one with NaN; templates of two shapes."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:60, :70]
    lattice = (60 + 11 * (y % 6) ** 2 % 97 + 23 * (x % 5)).astype("u1")
    images = [random.integers(0, 255, (60, 70)).astype("u1"), lattice, np.full((60, 70), 9, "u1"),
              random.normal(size=(60, 70)).astype("f4")]
    images[3][5, 5] = np.nan
    templates = [images[0][20:32, 30:41], lattice[6:18, 5:16], images[0][3:30, 8:24]]
    with h5py.File(path, "w") as file:
        for i, pixels in enumerate(images):
            file[f"images/{i}"] = pixels
        for i, pixels in enumerate(templates):
            file[f"templates/{i}"] = pixels
        file["pairs"] = [(i, t) for i in range(4) for t in range(3)] * 2 + [(-1, -1)]
        rows = [(0, 0, 60, 70)] * 24 + [(0, 0, 1, 1)]
        rows[12:24] = [(15, 12, 40, 33)] * 12
        file["search"] = rows
    return images, templates


def direct(image, template):
    m, n = template.shape
    padded = np.pad(image.astype(float), ((m - 1, m - 1), (n - 1, n - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (m, n))
    t = template - template.mean(dtype=float)
    w = windows - windows.mean((2, 3), keepdims=True)
    energy = np.sqrt((w**2).sum((2, 3)) * (t**2).sum())
    return np.where(energy > 1e-6, (w * t).sum((2, 3)) / np.where(energy > 1e-6, energy, 1), 0)


def against_direct_sums(folder):
    path, out = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    images, templates = make(path)
    program("run", path, out, "--progress", "none", *OPTIONS, code=6)
    with h5py.File(path) as file:
        pairs, windows = file["pairs"][()], file["search"][()]
    found = results(out)
    assert found["top_coords"].shape == (25, 6, 2) and found["top_peaks"].shape == (25, 6)
    assert list(found["status"]) == [1] * 9 + [3] * 3 + [1] * 6 + [2, 2, 1] + [3] * 3 + [6], found["status"]
    for row, (i, t) in enumerate(pairs):
        listed, peaks = found["top_coords"][row], found["top_peaks"][row]
        if found["status"][row] not in (1, 2):
            assert (listed == -1).all() and np.isnan(peaks).all()
            continue
        ncc = direct(images[i], templates[t])
        mask = np.full(ncc.shape, -np.inf)
        y0, x0, y1, x1 = windows[row]
        mask[y0:y1, x0:x1] = 0
        assert listed[0].tolist() == found["coords"][row].tolist() and peaks[0] == found["peaks"][row]
        for (y, x), peak in zip(listed, peaks):
            assert (ncc + mask)[y, x] >= (ncc + mask).max() - 2e-12 and abs(ncc[y, x] - peak) < 1e-12, (row, y, x)
            ties = np.argwhere(ncc + mask >= (ncc + mask).max() - 1e-13)
            assert [y, x] >= ties[0].tolist(), (row, y, x, ties[0])
            mask[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5] = -np.inf
        if found["status"][row] == 1:
            assert found["second_coords"][row].tolist() == listed[1].tolist()


def same_bytes(folder):
    path, out = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    make(path)
    program("run", path, out, "--progress", "none", *OPTIONS, code=6)
    truth = results(out)
    for ranks, threads, read, isa in ((2, 1, "root", ""), (3, 2, "all", ""), (1, 2, "root", "plain")):
        program("run", path, out, "--overwrite", "--progress", "none", *OPTIONS, "--threads", str(threads), "--read", read,
                ranks=ranks, code=6, environment={"MPIXCORR_ISA": isa} if isa else None)
        assert not same(truth, results(out)), (ranks, read, same(truth, results(out)))
    program("run", path, os.path.join(folder, "one.h5"), "--progress", "none", "--peaks", "1", code=6)
    with h5py.File(os.path.join(folder, "one.h5")) as one:
        assert one["top_coords"].shape == (25, 1, 2) and one.attrs["separation_px"] == 10
        assert one["coords"][()].tobytes() == truth["coords"].tobytes()


def resumed(folder):
    """Stopped after a while, of which some of a hand-out's pairs are done; several times, as it depends on the moment."""
    path, whole = (os.path.join(folder, name) for name in ("in.h5", "whole.h5"))
    program("generate", path, "--preset", "tiny", "--images", "40", "--seed", "4")
    program("run", path, whole, "--progress", "none", *OPTIONS)
    for turn in range(4):
        out = os.path.join(folder, f"{turn}.h5")
        with subprocess.Popen([MPIXCORR, "run", path, out, "--progress", "none", *OPTIONS], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env={**os.environ, "MPIXCORR_SYNC_S": "0.01"}) as first:
            while not os.path.exists(out + ".part") and first.poll() is None:
                time.sleep(0.002)
            time.sleep(0.03 * turn)
            first.send_signal(signal.SIGTERM)
        if first.returncode == 75:  # else it was done before
            for options in () if turn else (OPTIONS[:3] + ("5",) + OPTIONS[4:], ("--peaks", "5") + OPTIONS[2:], OPTIONS[2:]):
                assert "options that may change results differ" in program(
                    "run", path, out, "--resume", "--progress", "none", *options, code=3)
            program("run", path, out, "--resume", "--progress", "none", *OPTIONS, ranks=2)
        assert not same(results(whole), results(out)), same(results(whole), results(out))
        program("compare", whole, out)


def looked_at(folder):
    path, out, map_of = (os.path.join(folder, name) for name in ("in.h5", "out.h5", "map.h5"))
    make(path)
    program("run", path, out, "--progress", "none", *OPTIONS, code=6)
    words = program("info", out)
    assert "the best 6 of each pair" in words and "--peaks=6 --separation=4" in words, words
    program("map", path, map_of, "--pair", "13", "--results", out)
    with h5py.File(map_of) as shown, h5py.File(out) as known:
        assert shown["top_coords"][()].tolist() == known["top_coords"][13].tolist()
        origin = shown["ncc"].attrs["origin"]
        for (y, x), peak in zip(shown["top_coords"], shown["top_peaks"]):
            assert abs(shown["ncc"][y - origin[0], x - origin[1]] - peak) < 1e-9
    picture = os.path.join(folder, "map.png")
    drawn = subprocess.run([MPIXCORR, "map", path, picture, "--pair", "3", "--peaks", "30"], stderr=subprocess.PIPE,
                           stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
    assert os.path.getsize(picture) > 10000 if drawn.returncode == 0 else b"draws no pictures" in drawn.stderr, drawn.stderr
    for option in ("--peaks=0", "--peaks=1001", "--separation=0", "--peaks=two"):
        program("run", path, "never.h5", option, code=2)
    program("run", path, "--dry-run", "--peaks", "1000")


with tempfile.TemporaryDirectory() as root:
    for number, case in enumerate((against_direct_sums, same_bytes, resumed, looked_at)):
        place = os.path.join(root, str(number))
        os.mkdir(place)
        case(place)
        print(f"{case.__name__}: passed")
