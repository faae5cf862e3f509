#!/usr/bin/env python3
"""Template boxes, search windows and --crop half through the whole program: look_boxes.py MATCH_CASES

Boxes give the bytes that stored pixels give, and take no room; windows and crops restrict the peak to exactly the
positions that they name, as the reference engine (tests/oracle/match_cases.c) has it.
"""
import os
import struct
import sys

from launch import launch
from look_common import DATASETS, QUALITY, assert_same_bytes, h5py, main, np, program, run

MATCH_CASES = sys.argv[1]
DTYPES = {"u1": 0, "f4": 7}  # of ncc_dtype


def smooth(rng, rows, cols, dtype="u1"):
    """Texture with structure of some pixels, so that maps have more than one peak."""
    a = rng.standard_normal((rows, cols))
    for axis in (0, 1):
        a = a + np.roll(a, 1, axis) + np.roll(a, 2, axis)
    a = (a - a.min()) / (a.max() - a.min())
    return (a * 255).astype(dtype) if dtype == "u1" else a.astype(dtype)


def stitching(path, boxes, dtype="u1"):
    """Four tiles; templates are the edges of each that its neighbours overlap. With pixels or as boxes."""
    rng = np.random.default_rng(5)
    scene = smooth(rng, 420, 460, dtype)
    origins = [(0, 0), (3, 200), (190, 5), (185, 207)]
    tiles = [scene[y : y + 220, x : x + 240] for y, x in origins]
    table = [(image, y, x, 60, 70) for image in range(4) for y, x in ((5, 9), (150, 160), (80, 3))]
    with h5py.File(path, "w") as f:
        for i, tile in enumerate(tiles):
            f[f"images/{10 * i}"] = tile
        if boxes:
            f["templates"] = np.array([(10 * i, *box) for i, *box in table], dtype="i4")
        else:
            for t, (i, y, x, rows, cols) in enumerate(table):
                f[f"templates/{t}"] = tiles[i][y : y + rows, x : x + cols]
        f["pairs"] = [(10 * i, t) for i in range(4) for t in range(len(table)) if table[t][0] != i]


def boxes_give_the_bytes_of_pixels(folder):
    for dtype in ("u1", "f4"):
        stitching(os.path.join(folder, "boxes.h5"), True, dtype)
        stitching(os.path.join(folder, "pixels.h5"), False, dtype)
        sizes = [os.path.getsize(os.path.join(folder, name)) for name in ("boxes.h5", "pixels.h5")]
        stored = 12 * 60 * 70 * np.dtype(dtype).itemsize
        assert sizes[0] <= sizes[1] - stored, f"{sizes}: boxes stored pixels"
        expected = run(folder, "pixels.h5", f"expected{dtype}.h5", "--quality", "--normalize")
        for ranks, how in ((0, "auto"), (3, "root"), (3, "all"))[: 3 if dtype == "u1" else 1]:
            output = run(folder, "boxes.h5", f"{dtype}{ranks}{how}.h5", "--quality", "--normalize", "--read", how,
                         ranks=ranks)
            assert_same_bytes(expected, output, DATASETS + QUALITY)


def reference(cases):
    """(status, y, x, peak) of the reference engine; a case is image, template, window or None, crop_half."""
    raw = b""
    for image, tmpl, window, half in cases:
        head = (*image.shape, DTYPES[image.dtype.str[1:]], *tmpl.shape, DTYPES[tmpl.dtype.str[1:]], 0, 0, half, 0, 0,
                window is not None, *(window if window is not None else (0, 0, 0, 0)))
        raw += struct.pack("18q2d", *head, 0, 0, 0.0, 0.0) + image.tobytes() + tmpl.tobytes()
    with open("cases.raw", "wb") as file:
        file.write(raw)
    done = launch([MATCH_CASES, "reference", "cases.raw"])
    assert done.returncode == 0, done.stderr
    return [line.split()[:4] for line in done.stdout.splitlines()]


def windows_and_crops_are_exact(folder):
    os.chdir(folder)
    rng = np.random.default_rng(6)
    images = [smooth(rng, 70, 90), smooth(rng, 64, 80)]
    templates = [images[0][20:37, 30:53], smooth(rng, 21, 16), images[1][40:64, 50:80]]
    pairs, windows = [], []
    for i, image in enumerate(images):
        for t, tmpl in enumerate(templates):
            rows, cols = (a + b - 1 for a, b in zip(image.shape, tmpl.shape))
            peak = (36, 52)  # of template 0 on image 0: just inside and just outside of windows
            candidates = [(0, 0, rows, cols), (0, 0, 1, 1), (rows - 1, cols - 1, rows, cols), (36, 52, 37, 53),
                          (0, 0, peak[0], cols), (0, 0, peak[0] + 1, cols), (0, 0, rows, peak[1]),
                          (peak[0] + 1, 0, rows, cols), (peak[0], peak[1] + 1, rows, cols),
                          (0, 0, rows, peak[1] + 1), (peak[0], 0, rows, cols), (0, peak[1], rows, cols)]
            for _ in range(2):
                y0, x0 = rng.integers(0, rows), rng.integers(0, cols)
                candidates.append((y0, x0, rng.integers(y0 + 1, rows + 1), rng.integers(x0 + 1, cols + 1)))
            pairs += [(i, t)] * len(candidates)
            windows += candidates
    with h5py.File("windows.h5", "w") as f:
        for i, image in enumerate(images):
            f[f"images/{i}"] = image
        for t, tmpl in enumerate(templates):
            f[f"templates/{t}"] = tmpl
        f["pairs"] = pairs
        f["search"] = np.array(windows, dtype="i4")
    for half in (False, True):
        # A crop may leave nothing of a window: such pairs are invalid, and told so.
        options = ("--crop", "half", "--on-bad-pair", "skip") if half else ()
        program("run", "windows.h5", f"windows{half}.h5", "--progress", "none", *options, code=6 if half else 0)
        with h5py.File(f"windows{half}.h5") as f:
            coords, peaks, status = f["coords"][:], f["peaks"][:], f["status"][:]
        expected = reference([(images[i], templates[t], w, half) for (i, t), w in zip(pairs, windows)])
        inside = 0
        for row, (wanted, window) in enumerate(zip(expected, windows)):
            found = [str(status[row]), *(str(c) for c in coords[row])]
            assert found == wanted[:3], f"half {half}, row {row}, window {window}: {found}, expected {wanted}"
            if status[row] != 1:
                continue
            assert abs(peaks[row] - float(wanted[3])) < 1e-12, f"row {row}: {peaks[row]}, expected {wanted[3]}"
            y0, x0, y1, x1 = window
            assert y0 <= coords[row][0] < y1 and x0 <= coords[row][1] < x1, f"row {row}: {coords[row]} outside"
            # independent of any engine: the whole map's peak is found by every window that holds it, and by no other
            if pairs[row] == (0, 0) and not half:
                holds = y0 <= 36 < y1 and x0 <= 52 < x1
                assert (coords[row].tolist() == [36, 52]) == holds, f"row {row}, window {window}: {coords[row]}"
            inside += 1
        print(f"crop half {half}: {inside} of {len(windows)} windows answered, the others invalid")
        assert inside > 0 and (half or inside == len(windows))


main(boxes_give_the_bytes_of_pixels, windows_and_crops_are_exact)
