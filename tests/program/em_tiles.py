#!/usr/bin/env python3
"""Real EM tiles: 60 windows and templates on 3 ranks give the coordinates and peaks of float64 (expected.csv).

The file lists valid-mode peaks; a full-mode coordinate is that plus (template rows - 1, template cols - 1). On these
tiles the valid-mode peak is also the full-mode one, so both searches must find it.
With black frames and a painted corner, masked: what direct sums say, and 18 of 20 where they belong.
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
    subprocess.run(command, check=True)
    with h5py.File(output, "r") as file:
        return file["coords"][:], file["peaks"][:], file["offsets"][:]


def direct(image, valid, tmpl, t_valid):
    """The NCC of all positions by float64 sums over valid pixels; NaN where these are too few."""
    shape = [a + b - 1 for a, b in zip(image.shape, tmpl.shape)]
    i0, t0 = np.where(valid, image - image[valid].mean(), 0), np.where(t_valid, tmpl - tmpl[t_valid].mean(), 0)

    def sums(a, b):
        return np.fft.irfft2(np.fft.rfft2(a, shape) * np.fft.rfft2(b[::-1, ::-1].astype(float), shape), shape)

    n = np.rint(sums(valid.astype(float), t_valid))
    s, u, k = sums(i0, t_valid), sums(valid.astype(float), t0), np.maximum(n, 1)
    w, t = sums(i0 * i0, t_valid) - s * s / k, sums(valid.astype(float), t0 * t0) - u * u / k
    ncc = (sums(i0, t0) - s * u / k) / np.sqrt(np.maximum(w, 1) * np.maximum(t, 1))
    return np.where(n / t_valid.sum() >= 0.3, ncc, np.nan)


def masked(data, folder):
    """Tiles with a black frame of 30 pixels, one with a corner painted over. @return how many answers are wrong"""
    tiles, masks, rows = {}, {}, []
    with open(os.path.join(data, "expected.csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["imageA"].startswith("mussel")]
    for name in {row[key] for row in rows for key in ("imageA", "templateB")}:
        tile = np.array(Image.open(os.path.join(data, name)))
        valid = np.zeros(tile.shape, bool)
        valid[30:-30, 30:-30] = True
        tile[~valid] = 0
        if name.endswith("3_1_2.png"):
            corner = (slice(0, tile.shape[0] // 4), slice(0, tile.shape[1] // 4))
            tile[corner], valid[corner] = 255, False
        tiles[name], masks[name] = tile, valid

    def cut(of, row, key, name):
        x, y, width, height = (int(row[f"{key}_{k}"]) for k in "xywh")
        return of[row[name]][y : y + height, x : x + width]

    with h5py.File(os.path.join(folder, "tiles.h5"), "w") as file:
        for i, row in enumerate(rows):
            file[f"images/{i}"], file[f"image_masks/{i}"] = (cut(of, row, "win", "imageA") for of in (tiles, masks))
            file[f"templates/{i}"], file[f"template_masks/{i}"] = (cut(of, row, "tpl", "templateB") for of in (tiles, masks))
        file["pairs"] = np.repeat(np.arange(len(rows))[:, None], 2, axis=1)
    coords, peaks, offsets = run(folder, "masked.h5", [])
    failed = found = 0
    for i, row in enumerate(rows):
        valid, t_valid = cut(masks, row, "win", "imageA"), cut(masks, row, "tpl", "templateB")
        if not t_valid.any():
            failed += coords[i][0] != -1
            continue
        ncc = direct(cut(tiles, row, "win", "imageA").astype(float), valid, cut(tiles, row, "tpl", "templateB").astype(float), t_valid)
        bad = abs(ncc[tuple(coords[i])] - peaks[i]) > 1e-9 or np.nanmax(ncc) > peaks[i] + 1e-9
        if bad:
            print(f"  masked row {i}: found {coords[i]} {peaks[i]:.9f}, direct sums have {np.nanmax(ncc):.9f}")
        failed += bad
        found += np.abs(offsets[i] - (int(row["peak_y"]), int(row["peak_x"]))).max() <= 1
    print(f"masked.h5: {found} of {len(rows)} within 1 px")
    return failed + (found < 18)


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
        failed += masked(os.path.join(data, "em_tiles"), folder)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
