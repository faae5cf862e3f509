"""What pages of `report` are made of: an output of as many rows as wanted, and images whose templates moved.

report_cases.py OUTPUT ROWS NEW: rows of a real run, with others in their place
"""
import os
import shutil
import sys

import h5py
import numpy as np


def synthetic(output, n, path):
    rng = np.random.default_rng(1)
    peaks = np.clip(rng.normal(0.7, 0.15, n), -0.2, 0.999)
    chance = rng.random(n)
    status = np.where(chance < 0.001, 4, np.where(chance < 0.003, 2, 1)).astype("u1")
    peaks[status == 4], peaks[status == 2] = np.nan, 0
    coords = rng.integers(0, 1000, (n, 2))
    coords[status == 4] = -1
    pairs = np.stack([np.arange(n) // 5 % 2, np.arange(n) % 10], 1)
    rows = {"pairs": pairs, "coords": coords, "offsets": coords - 300, "peaks": peaks, "overlap": np.ones(n),
            "at_border": (rng.random(n) < 0.01) & (status == 1), "second_peaks": peaks * rng.uniform(0.2, 1, n)}
    shutil.copy(output, path)
    with h5py.File(path, "a") as f:
        enum = f["status"].id.get_type()
        for name in [name for name in f if f[name].shape and f[name].shape[0] != n and name != "status"]:
            old = f[name]
            new = np.broadcast_to(np.asarray(rows.get(name, 0.0)), (n, *old.shape[1:])) if name not in rows else rows[name]
            kind = old.dtype
            del f[name]
            f[name] = np.asarray(new).astype(kind)
        del f["status"]
        space = h5py.h5s.create_simple((n,))
        h5py.h5d.create(f.id, b"status", enum, space).write(h5py.h5s.ALL, h5py.h5s.ALL, status, mtype=enum)
    return status, peaks


def make_sections(folder, patches=14):
    """Two pictures of 3 x 1 tiles, and a section warped against another, as boxes with predictions; where tiles lie."""
    rng = np.random.default_rng(4)

    def scene(rows, cols):
        y, x = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)
        smooth = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((rows, cols))) * np.exp(-80 * (y * y + x * x)), (rows, cols))
        return np.clip(128 + 40 * smooth / smooth.std(), 0, 255).astype("u1")

    whole, section = scene(200, 520), scene(340, 340)
    places = [(10, 10), (12, 163), (9, 318)]
    images = [whole[y : y + 180, x : x + 190] for y, x in places]
    moved = np.empty_like(section)
    rows, cols = np.mgrid[:340, :340]
    moved[:] = section[np.clip(rows + np.rint(3 * cols / 340).astype(int), 0, 339), np.clip(cols - 2, 0, 339)]
    images += [section, moved]
    boxes, pairs, near = [], [], []
    for i in range(2):  # tile i + 1 sought in tile i
        for y in (20, 80, 120):
            boxes.append((i + 1, y, 4, 40, 28))
            near.append((y, 150 + 4, 12, 12))
            pairs.append((i, len(boxes) - 1))
    for a in range(patches):
        for b in range(patches):
            boxes.append((4, 12 + a * 20, 12 + b * 20, 40, 40))
            near.append((12 + a * 20, 12 + b * 20, 8, 8))
            pairs.append((3, len(boxes) - 1))
    with h5py.File(os.path.join(folder, "in.h5"), "w") as f:
        for i, image in enumerate(images):
            f[f"images/{i}"] = image
        f["templates"], f["pairs"], f["near"] = np.array(boxes), np.array(pairs), np.array(near)
        f["image_names"] = ["a0", "a1", "a2", "s1", "s2"]
    return places


if __name__ == "__main__":
    synthetic(sys.argv[1], int(sys.argv[2]), sys.argv[3])
