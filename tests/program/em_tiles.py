#!/usr/bin/env python3
"""Real EM tiles: 60 windows and templates on 3 ranks give the coordinates and peaks of float64 (expected.csv).

The file lists valid-mode peaks; a full-mode coordinate is that plus (template rows - 1, template cols - 1). On these
tiles the valid-mode peak is also the full-mode one, so both searches must find it.
Skipped (77) without MPIXCORR_TEST_DATA or the Python modules.
"""
import csv
import os
import subprocess
import sys
import tempfile

SKIPPED = 77

try:
    import h5py
    import numpy as np
    from PIL import Image
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIPPED)


def read_expected(folder):
    """Windows as images, templates, expected full-mode coordinates (y, x) and peaks, a row of the file each."""
    tiles = {}

    def cut(name, box):
        if name not in tiles:
            tiles[name] = np.asarray(Image.open(os.path.join(folder, name)))
        x, y, width, height = box
        return tiles[name][y : y + height, x : x + width]

    images, templates, coords, peaks = [], [], [], []
    with open(os.path.join(folder, "expected.csv"), newline="") as file:
        for row in csv.DictReader(file):
            window = [int(row[f"win_{key}"]) for key in "xywh"]
            box = [int(row[f"tpl_{key}"]) for key in "xywh"]
            images.append(cut(row["imageA"], window))
            templates.append(cut(row["templateB"], box))
            coords.append((int(row["peak_y"]) + box[3] - 1, int(row["peak_x"]) + box[2] - 1))
            peaks.append(float(row["peak_ncc"]))
    return images, templates, np.array(coords), np.array(peaks)


def run(folder, name, options):
    output = os.path.join(folder, name)
    command = [os.environ.get("MPIEXEC", "mpirun"), "-n", "3", os.environ["MPIXCORR"], "run"]
    command += [os.path.join(folder, "tiles.h5"), output, "--progress", "none", *options]
    subprocess.run(command, check=True, timeout=100)
    with h5py.File(output, "r") as file:
        return file["coords"][:], file["peaks"][:], file["offsets"][:]


def main():
    data = os.environ.get("MPIXCORR_TEST_DATA")
    if not data:
        print("skipped: MPIXCORR_TEST_DATA is not set")
        return SKIPPED
    images, templates, expected_coords, expected_peaks = read_expected(os.path.join(data, "em_tiles"))
    assert len(images) == 60, len(images)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(os.path.join(folder, "tiles.h5"), "w") as file:
            for i, (image, template) in enumerate(zip(images, templates)):
                file[f"images/{i}"] = image
                file[f"templates/{i}"] = template
            file["pairs"] = np.repeat(np.arange(len(images))[:, None], 2, axis=1)
        for name, options in (("full.h5", []), ("valid.h5", ["--min-overlap", "1"])):
            coords, peaks, offsets = run(folder, name, options)
            shapes = np.array([template.shape for template in templates])
            wrong = np.flatnonzero((coords != expected_coords).any(axis=1))
            off = np.abs(peaks - expected_peaks)
            misplaced = (offsets != coords - (shapes - 1)).any(axis=1).sum()
            print(f"{name}: {len(coords) - len(wrong)} of {len(coords)} coordinates, peaks within {off.max():.1e}")
            for i in wrong:
                print(f"  row {i}: found {coords[i]} {peaks[i]:.9f}, expected {expected_coords[i]} {expected_peaks[i]:.9f}")
            failed += len(wrong) + (off > 1e-6).sum() + misplaced
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
