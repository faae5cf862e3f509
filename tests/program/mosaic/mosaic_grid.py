#!/usr/bin/env python3
"""`grid` from coarse to fine on a picture and its smooth warp: the field is what the warp was, all over the interior.
Fields as HDF5 and NumPy, holes, several pairs, predictions of PAIRS.csv, what is refused.
"""
import csv
import os

from mosaic_common import Image, h5py, main, np, program, scene

SIDE, AMPLITUDE = 1000, 4


def warp(y, x):
    """(dy, dx): point (y, x) of the template is (y + dy, x + dx) of the image."""
    k = 2 * np.pi / SIDE
    return AMPLITUDE * np.sin(k * y) * np.cos(k * x) + 7.3, AMPLITUDE * np.cos(k * y + 1) - 11.6


def sample(picture, y, x):
    """Cubic (Catmull-Rom) values between pixels, mirrored at the rim."""
    out = np.zeros(y.shape)
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)

    def weights(t):
        return (-t + 2 * t**2 - t**3) / 2, (2 - 5 * t**2 + 3 * t**3) / 2, (t + 4 * t**2 - 3 * t**3) / 2, (t**3 - t**2) / 2

    def mirror(i, n):
        i = np.abs(i)
        return np.where(i < n, i, 2 * n - 2 - i)

    for v, wy in zip(range(-1, 3), weights(y - y0)):
        for u, wx in zip(range(-1, 3), weights(x - x0)):
            out += wy * wx * picture[mirror(y0 + v, picture.shape[0]), mirror(x0 + u, picture.shape[1])]
    return out


def write(folder, name, rows):
    path = os.path.join(folder, name)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def save(folder, name, pixels):
    Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)).save(os.path.join(folder, name))


def match(folder, name, *options):
    """`grid`, `run` and `table --field`; answers the path of the results, dx, dy, peak and ratio, and places y and x."""
    tiles, results, field = (os.path.join(folder, name + end) for end in (".h5", "_peaks.h5", "_field.h5"))
    said = program("grid", os.path.join(folder, "pairs.csv"), tiles, *options)
    assert f"mpixcorr run {tiles} {results} --quality" in said, said
    program("run", tiles, results, "--quality", "--progress", "none")
    program("table", results, "--field", field)
    with h5py.File(field) as file:
        return results, file["field"][:], file["y"][:], file["x"][:]


def two_levels(folder):
    rng = np.random.default_rng(5)
    image = scene(SIDE, SIDE, seed=3).astype(float)
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    dy, dx = warp(y, x)
    for name, pixels in (("image.png", image), ("template.png", sample(image, y + dy, x + dx))):
        save(folder, name, pixels + 6 * rng.standard_normal(pixels.shape))
    write(folder, "pairs.csv", [("template", "image"), ("template.png", "image.png")])
    coarse, field, ys, xs = match(folder, "coarse", "--bin", 2, "--patch", "200,200", "--step", "100,100", "--radius", 40)
    assert field.shape == (1, 4, 9, 9) and np.median(field[0, 2]) > 0.8 and np.median(field[0, 3]) > 2, field
    assert ys.tolist() == xs.tolist() == [99.5 + 100 * i for i in range(9)], (ys, xs)  # of the full resolution
    dy, dx = warp(*np.meshgrid(ys, xs, indexing="ij"))
    assert np.median(np.hypot(field[0, 0] - dx, field[0, 1] - dy)) < 0.4
    with h5py.File(os.path.join(folder, "coarse.h5")) as file:
        assert file.attrs["bin"] == 2 and file["images/0"].shape == (500, 500) and file["images/0"].dtype == "u1"
        small = np.asarray(Image.open(os.path.join(folder, "template.png"))).reshape(500, 2, 500, 2).mean((1, 3))
        assert (file["images/0"][:] == np.rint(small)).all()
    with h5py.File(coarse, "r+") as file:  # nine that are wrong together and at the border: they are filled in from around
        block = [9 * v + u for v in (3, 4, 5) for u in (3, 4, 5)]
        for name in ("coords", "offsets", "subpixel"):
            values = file[name][:]
            values[block] += 40
            file[name][:] = values
        border = file["at_border"][:]
        border[block] = 1
        file["at_border"][:] = border
    results, field, ys, xs = match(folder, "fine", "--patch", "96,96", "--step", "40,40", "--radius", 6, "--prior", coarse)
    assert len(ys) * len(xs) == field[0, 0].size and np.diff(ys).max() == np.diff(xs).min() == 40, (ys, xs)
    gy, gx = np.meshgrid(ys, xs, indexing="ij")
    dy, dx = warp(gy, gx)
    inside = (gy + dy > 48) & (gy + dy < SIDE - 49) & (gx + dx > 48) & (gx + dx < SIDE - 49)
    ok = ~np.isnan(field[0, 0])
    error = np.hypot(field[0, 0] - dx, field[0, 1] - dy)[inside & ok]
    print(f"{(inside & ok).sum()} of {inside.sum()} defined, {np.sqrt((error**2).mean()):.3f} px RMS")
    assert (inside & ok).sum() >= 0.98 * inside.sum() > 300, (inside & ok).sum()
    assert np.sqrt((error**2).mean()) < 0.15, np.sqrt((error**2).mean())
    assert np.isnan(field[0, 3]).all()  # nothing is searched as far off as a second peak
    # the same as NumPy's, and by the table of tiles
    npy = os.path.join(folder, "field.npy")
    program("table", results, "--field", npy)
    assert np.array_equal(np.load(npy), field, equal_nan=True) and np.load(npy).dtype == np.float32
    assert "1 good" in program("table", results, "--tiles")


def prior_of_other_pictures(folder):
    """A prior of pictures that are smaller themselves: --scale."""
    big = scene(600, 640, seed=9).astype(float)
    save(folder, "a.png", big)
    save(folder, "b.png", np.roll(big, (-12, 20), (0, 1)))  # (y, x) of b is (y + 12, x - 20) of a
    for name in ("a.png", "b.png"):
        pixels = np.asarray(Image.open(os.path.join(folder, name)), float)
        save(folder, "small_" + name, pixels.reshape(300, 2, 320, 2).mean((1, 3)))
    write(folder, "pairs.csv", [("template", "image"), ("small_b.png", "small_a.png")])
    small, _, _, _ = match(folder, "small", "--patch", "60,60", "--step", "60,60", "--radius", 16)
    pairs = write(folder, "pairs.csv", [("template", "image"), ("b.png", "a.png")])
    _, field, _, _ = match(folder, "big", "--patch", "80,80", "--step", "60,60", "--radius", 1, "--prior", small, "--scale", 2)
    inner = field[0, :, 1:-1, 1:-1]
    assert np.abs(inner[0] + 20).max() < 0.3 and np.abs(inner[1] - 12).max() < 0.3, inner
    said = program("grid", pairs, os.path.join(folder, "x.h5"), "--patch", "80,80", "--step", "60,60", "--radius", 1,
                   "--prior", small, code=3)
    assert "small_" in said and "found, expected" in said, said


def several_pairs(folder):
    """Predictions by dy, dx; images smaller than others leave holes; float pixels in stacks."""
    base = scene(400, 500, seed=4).astype(np.float32)
    np.save(os.path.join(folder, "s.npy"), np.stack([base, np.roll(base, (30, -40), (0, 1))]))
    np.save(os.path.join(folder, "t.npy"), base[:200, :300])
    pairs = write(folder, "pairs.csv", [("template", "image", "dy", "dx"), ("s.npy[1]", "s.npy[0]", -30, 40), ("t.npy", "s.npy[0]", 1, "-2"),
                                        ("t.npy", "s.npy[1]", 30, -40)])
    results, field, ys, xs = match(folder, "grid", "--patch", "50,50", "--step", "50,50", "--radius", 3)
    assert field.shape == (3, 4, 8, 9) and len(ys) == 8 and len(xs) == 9, field.shape
    with h5py.File(os.path.join(folder, "grid_field.h5")) as file:
        assert file["pairs"][:].tolist() == [[0, 2], [1, 0], [1, 2]]
        order = {tuple(p): i for i, p in enumerate(file["pairs"][:].tolist())}
    for pair, dx, dy, count in (((1, 0), 40, -30, 63), ((1, 2), 0, 0, 24), ((0, 2), -40, 30, 20)):
        layers = field[order[pair]]
        known = ~np.isnan(layers[0])
        assert known.sum() == count, (pair, known.sum())
        assert np.abs(layers[0][known] - dx).max() < 0.3 and np.abs(layers[1][known] - dy).max() < 0.3, pair
        assert layers[2][known].min() > 0.999, pair
    assert "3 good" in program("table", results, "--tiles")
    for rows, words in (([("template", "image"), ("t.npy", "s.npy")], "s.npy"),
                        ([("template", "image"), ("t.npy", "gone.npy")], "line 2: "),
                        ([("template", "image"), ("t.npy", "t.npy"), ("t.npy", "t.npy")], "line 3: the pair of line 2"),
                        ([("template", "image", "dy"), ("t.npy", "t.npy", 1)], "template,image,dy,dx"),
                        ([("template", "image", "dy", "dx"), ("t.npy", "t.npy", 1, "inf")], "line 2: column dx"),
                        ([("template", "image", "dy", "dx"), ("t.npy", "t.npy", 1, 5000)], "no patch of 50 x 50"),
                        ([("template", "image"), ("t.npy", "")], "line 2: column image"),
                        ([("template", "image")], "no pair found")):
        pairs = write(folder, "bad.csv", rows)
        said = program("grid", pairs, os.path.join(folder, "x.h5"), "--patch", "50,50", "--step", "50,50", "--radius", 3, code=3)
        assert words in said and said.count("\n") == 1 and not os.path.exists(os.path.join(folder, "x.h5")), (rows, said)
    for options in (("--step", "5,5", "--radius", 3), ("--patch", "5,5", "--radius", 3), ("--patch", "5,5", "--step", "5,5"),
                    ("--patch", "50,50", "--step", "50,50", "--radius", 3, "--bin", 4),
                    ("--patch", "5,5", "--step", "5,5", "--radius", 3, "--scale", 2)):
        program("grid", pairs, os.path.join(folder, "x.h5"), *options, code=2)
    pairs = os.path.join(folder, "pairs.csv")
    for output in (pairs, results, os.path.join(folder, "s.npy")):
        with open(output, "rb") as file:
            before = file.read()
        program("grid", pairs, output, "--patch", "50,50", "--step", "50,50", "--radius", 3, "--prior", results, "--overwrite", code=4)
        with open(output, "rb") as file:
            assert file.read() == before, output
    program("table", results, "--field", os.path.join(folder, "f.txt"), code=2)
    program("table", results, "--field", results, code=4)


main(two_levels, prior_of_other_pictures, several_pairs)
