#!/usr/bin/env python3
"""Filters in a job: the answers are those of a job on pixels that were filtered before; boxes are cut from their
filtered image; the same bytes whoever reads; a map, a comparison and a resumed run know the filters, too.

filters.py FILTER_TOOL
"""
import os
import subprocess
import sys
import tempfile

from launch import MPIXCORR, PATIENCE_S, h5py, np, on_ranks

TOOL = sys.argv[1]
DATASETS = ("coords", "offsets", "peaks", "overlap", "status", "subpixel", "subpixel_offsets", "curvature", "second_coords", "second_peaks")
NAMES = {"uint8": "u8", "uint16": "u16", "float32": "f32", "float64": "f64"}


def filtered(pixels, chain):
    done = subprocess.run([TOOL, chain, NAMES[pixels.dtype.name], *map(str, pixels.shape)], input=pixels.tobytes(),
                          stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, np.float32).reshape(pixels.shape)


def run(*arguments, ranks=1, code=0):
    done = subprocess.run([*on_ranks(ranks), MPIXCORR, "run", *arguments, "--progress", "none"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)
    assert done.returncode == code, done.stderr.decode()
    return done.stderr.decode()


def results(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in DATASETS}


def same(a, b):
    return all(a[name].tobytes() == b[name].tobytes() for name in DATASETS)


def make(folder, boxes):
    """Images of three types with structure; templates cut from other images. Also what they come to, by chain."""
    random = np.random.default_rng(5)
    base = np.kron(random.normal(size=(24, 22)), np.ones((4, 4)))[:90, :85]
    kinds = ("u1", "u2", "f4") if not boxes else ("u1",)
    images = [(100 + 30 * base + 5 * random.normal(size=base.shape)).clip(0, 255).astype(kinds[i % len(kinds)])
              for i in range(6)]
    places = [(i, *random.integers(0, 60, 2), 21, 18) for i in (1, 2, 2, 3, 4, 5, 0, 0)]
    cuts = [np.ascontiguousarray(images[i][y : y + m, x : x + n]) for i, y, x, m, n in places]
    pairs = [((t + 1) % 6, t) for t in range(8)] + [(t % 6, (3 * t) % 8) for t in range(12)]

    def write(path, images, cuts, boxes):
        with h5py.File(path, "w") as file:
            for i, pixels in enumerate(images):
                file[f"images/{i}"] = pixels
            if boxes:
                file["templates"] = np.array(places, "i4")
            for i, pixels in enumerate(() if boxes else cuts):
                file[f"templates/{i}"] = pixels
            file["pairs"] = np.array(pairs, "i4")

    raw = os.path.join(folder, f"raw{int(boxes)}.h5")
    write(raw, images, cuts, boxes)

    def before(chain):
        path = os.path.join(folder, "before.h5")
        done = [filtered(pixels, chain) for pixels in images]
        parts = [done[i][y : y + m, x : x + n] if boxes else filtered(cuts[k], chain)
                 for k, (i, y, x, m, n) in enumerate(places)]
        write(path, done, parts, False)
        return path

    return raw, before


def check(folder, boxes):
    raw, before = make(folder, boxes)
    for n, chain in enumerate(("log:1.5", "median:3,dog:0.8,2", "highpass:4")):
        expected, found = (os.path.join(folder, name) for name in ("expected.h5", "found.h5"))
        run(before(chain), expected, "--overwrite", "--quality")
        truth = results(expected)
        assert (truth["status"] == 1).all()
        ways = [(1, "root", 1), (2, "all", 1), (3, "root", 2), (3, "all", 1)]
        for ranks, read, threads in ways if n == 0 else ways[2 * n - 2 : 2 * n]:
            run(raw, found, "--overwrite", "--quality", "--filter", chain, "--read", read, "--threads", str(threads),
                ranks=ranks)
            assert same(truth, results(found)), f"{chain}, boxes {boxes}, {ranks} ranks, --read {read}"
        plain = os.path.join(folder, "plain.h5")
        run(raw, plain, "--overwrite", "--quality")
        assert not same(truth, results(plain)), "the filter changed nothing"


def a_map_and_a_comparison(folder):
    raw, before = make(folder, True)
    out, map_of = os.path.join(folder, "out.h5"), os.path.join(folder, "map.h5")
    run(raw, out, "--filter", "log:1.5")
    subprocess.run([MPIXCORR, "map", raw, map_of, "--pair", "3", "--results", out], check=True, stdout=subprocess.DEVNULL)
    with h5py.File(map_of) as file, h5py.File(out) as answers:
        name = next(key for key in file if file[key].ndim == 2)
        assert abs(np.nanmax(file[name][()]) - answers["peaks"][3]) < 1e-9, "the map is of other pixels"
    assert "--filter=log:1.5" in subprocess.run([MPIXCORR, "info", out], stdout=subprocess.PIPE, check=True).stdout.decode()


def nonfinite(folder):
    """A NaN anywhere in an image makes all its pairs nonfinite, its boxes as well."""
    path, out = os.path.join(folder, "nan.h5"), os.path.join(folder, "nan_out.h5")
    images = np.random.default_rng(1).normal(size=(2, 40, 40)).astype("f4")
    images[1, 39, 39] = np.nan
    with h5py.File(path, "w") as file:
        file["images"], file["templates"] = images, np.array([(0, 3, 3, 9, 9), (1, 3, 3, 9, 9)])
        file["pairs"] = [(0, 0), (0, 1), (1, 0)]
    run(path, out, "--filter", "gauss:1", code=6)
    with h5py.File(out) as file:
        assert list(file["status"]) == [1, 3, 3], list(file["status"])


def refused(folder):
    raw, _ = make(folder, False)
    for chain in ("median:4", "log", "sobel:1", "gauss:0"):
        words = run(raw, os.path.join(folder, "never.h5"), "--filter", chain, code=2)
        assert "--filter" in words and chain in words, words


with tempfile.TemporaryDirectory() as root:
    for number, case in enumerate((lambda f: check(f, False), lambda f: check(f, True), a_map_and_a_comparison, nonfinite,
                                   refused)):
        place = os.path.join(root, str(number))
        os.mkdir(place)
        case(place)
