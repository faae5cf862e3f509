"""A synthetic output of as many rows as wanted: those of a real run, with others in their place.

report_rows.py OUTPUT ROWS NEW
"""
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


if __name__ == "__main__":
    synthetic(sys.argv[1], int(sys.argv[2]), sys.argv[3])
