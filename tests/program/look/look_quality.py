#!/usr/bin/env python3
"""--quality: the error of sub-pixel positions on known shifts, the bytes on any number of ranks, and real EM tiles.

On tiles, where MPIXCORR_TEST_DATA names them, positions agree with the measured displacements of expected.csv.
"""
import csv
import os

from look_common import DATASETS, QUALITY, assert_same_bytes, h5py, main, np, program, run

try:
    from PIL import Image
except ImportError:
    Image = None


def errors(folder, preset, noise, images):
    path = os.path.join(folder, f"{preset}{noise}.h5")
    program("generate", path, "--preset", preset, "--images", images, "--seed", 11, "--subpixel-shift", "--noise", noise)
    output = run(folder, os.path.basename(path), f"{preset}{noise}.out.h5", "--quality")
    with h5py.File(path) as known, h5py.File(output) as found:
        return (found["subpixel"][:] - known["expected/subpixel"][:]).ravel()


def known_shifts_within_a_tenth(folder):
    # tiny templates of 31 x 37 pixels are the hard case: few pixels carry the peak
    for preset, noise, images in (("stitch2d", 10, 4), ("stitch2d", 15, 4), ("tiny", 10, 40)):
        difference = errors(folder, preset, noise, images)
        rms = np.sqrt(np.mean(difference**2))
        print(f"{preset}, noise {noise}: {difference.size} shifts, RMS {rms:.4f} px, largest {abs(difference).max():.3f}")
        assert rms < 0.1, f"{preset}, noise {noise}: RMS {rms} px"
        assert rms > 0, "no sub-pixel shift was tested"


def same_bytes_on_any_ranks(folder):
    program("generate", os.path.join(folder, "in.h5"), "--preset", "tiny", "--images", 6, "--seed", 4)
    alone = run(folder, "in.h5", "alone.h5", "--quality")
    plain = run(folder, "in.h5", "plain.h5")
    assert_same_bytes(alone, plain)
    for ranks in (2, 3):
        assert_same_bytes(alone, run(folder, "in.h5", f"{ranks}.h5", "--quality", "--threads", "2", ranks=ranks),
                          DATASETS + QUALITY)
    with h5py.File(alone) as f, h5py.File(plain) as p:
        assert f.attrs["second_peak_radius_px"] == 10
        assert "subpixel" not in p and "second_peaks" not in p
        apart = abs(f["second_coords"][:] - f["coords"][:]).max(axis=1)
        assert (apart > 10).all(), f"a second peak within the radius: {apart.min()}"
        assert (f["second_peaks"][:] < f["peaks"][:]).all()
        assert (abs(f["subpixel"][:] - f["coords"][:]) <= 0.5).all()
        assert (f["subpixel_offsets"][:] == f["subpixel"][:] - (f["coords"][:] - f["offsets"][:])).all()
        assert (f["curvature"][:] < 0).all()


def direct_ncc(image, template, y, x):
    """The NCC of the template with what lies `y` and `x` pixels off its place at (0, 5), by direct sums."""
    window = np.zeros(template.shape)
    top = max(0, -y)
    window[top:] = image[y + top : y + template.shape[0], 5 + x : 5 + x + template.shape[1]]
    window, template = window - window.mean(), template - template.astype("f8").mean()
    return (window * template).sum() / np.sqrt((window**2).sum() * (template**2).sum())


def edges_and_pairs_without_an_answer(folder):
    """At the edge of the search there is no neighbour; a small search has no second peak."""
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (60, 70), dtype="u1")
    bad = image.astype("f4")
    bad[3, 3] = np.nan
    with h5py.File(os.path.join(folder, "in.h5"), "w") as f:
        f["images/0"], f["images/1"], f["images/2"] = image, bad, np.full((60, 70), 9, "u1")
        f["templates/0"] = image[:20, 5:30]
        f["pairs"] = [(0, 0), (0, 0), (1, 0), (2, 0), (-1, -1)]
        f["search"] = [(19, 20, 40, 60), (15, 25, 24, 34), (0, 0, 79, 94), (30, 40, 50, 60), (0, 0, 1, 1)]
    path = os.path.join(folder, "out.h5")
    program("run", os.path.join(folder, "in.h5"), path, "--quality", "--progress", "none", code=6)
    with h5py.File(path) as f:
        assert f["status"][:].tolist() == [1, 1, 3, 2, 6], f["status"][:]
        assert f["coords"][:2].tolist() == [[19, 29], [19, 29]]
        assert f["subpixel"][0, 0] == 19, "row 19 is the first that is searched"
        assert np.isnan(f["curvature"][0, 0]) and f["curvature"][0, 1] < 0 and (f["curvature"][1] < 0).all()
        assert np.isnan(f["curvature"][2:]).all() and np.isnan(f["subpixel_offsets"][2:]).all()
        for axis in (0, 1):
            shift = np.eye(2, dtype=int)[axis]
            values = [direct_ncc(image, image[:20, 5:30], *(shift * step)) for step in (-1, 0, 1)]
            assert abs(values[0] - 2 * values[1] + values[2] - f["curvature"][1, axis]) < 1e-12
        assert f["subpixel"][1, 0] != 19, "row 19 has searched neighbours"
        assert f["second_coords"][1].tolist() == [-1, -1] and np.isnan(f["second_peaks"][1]), "no place for a second"
        assert np.isnan(f["subpixel"][2:]).all() and np.isnan(f["second_peaks"][2:]).all()
        assert (f["second_coords"][2:] == -1).all()


def em_tiles(folder):
    data = os.environ.get("MPIXCORR_TEST_DATA")
    if not data or Image is None:
        print("em_tiles: skipped: no MPIXCORR_TEST_DATA, or no PIL")
        return
    tiles = {}

    def cut(name, x, y, width, height):
        if name not in tiles:
            tiles[name] = np.asarray(Image.open(os.path.join(data, "em_tiles", name)))
        return tiles[name][y : y + height, x : x + width]

    with open(os.path.join(data, "em_tiles", "expected.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    win, tpl = (np.array([[int(row[f"{prefix}_{key}"]) for key in "xywh"] for row in rows]) for prefix in ("win", "tpl"))
    with h5py.File(os.path.join(folder, "tiles.h5"), "w") as f:
        for i, row in enumerate(rows):
            f[f"images/{i}"] = cut(row["imageA"], *win[i])
            f[f"templates/{i}"] = cut(row["templateB"], *tpl[i])
        f["pairs"] = np.repeat(np.arange(len(rows))[:, None], 2, axis=1)
    output = run(folder, "tiles.h5", "out.h5", "--quality", "--min-overlap", "1")
    with h5py.File(output) as f:
        peaks = f["peaks"][:]
        # templateB(x, y) ~ imageA(x + dx, y + dy), in pixels of the whole tiles
        position = f["subpixel"][:] - (f["coords"][:] - f["offsets"][:])
        second = f["second_peaks"][:]
    found = position + win[:, 1::-1] - tpl[:, 1::-1]
    measured = np.array([[float(row["meas_dy"]), float(row["meas_dx"])] for row in rows])
    good = peaks > 0.5
    off = abs(found - measured)[good].max(axis=1)
    print(f"em tiles: {good.sum()} of {len(rows)} peaks above 0.5, within {off.max():.3f} px of the measured displacement")
    assert good.sum() >= 30 and off.max() <= 0.05, off
    expected = np.array([float(row["second_ncc"]) for row in rows])
    print(f"em tiles: second peaks within {abs(second - expected).max():.1e}")
    assert abs(second - expected).max() < 2e-6, abs(second - expected).max()


main(known_shifts_within_a_tenth, same_bytes_on_any_ranks, edges_and_pairs_without_an_answer, em_tiles)
