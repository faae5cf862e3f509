#!/usr/bin/env python3
"""`mpixcorr map`: the map of a pair is the NCC of numpy, pictures show the match where it is, sheets the worst pairs."""
import os

from look_common import h5py, main, np, program, run

try:
    from PIL import Image
except ImportError:
    Image = None

PEAK = (255, 89, 51)  # colour of box and mark
SECOND = (115, 217, 255)


def make_input(folder, rng):
    image = rng.integers(0, 255, (120, 150), dtype="u1")
    # structure, so that a picture's contrast means something
    image = ((image.astype(float) + np.roll(image, 1, 0) + np.roll(image, 1, 1)) / 3).astype("u1")
    with h5py.File(os.path.join(folder, "in.h5"), "w") as f:
        f["images/0"] = image
        f["images/4"] = np.full((120, 150), 3, "u1")
        f["images/5"] = np.full((40, 50), np.nan, "f4")
        f["templates/0"] = image[70:101, 30:67]
        f["templates/1"] = rng.integers(0, 255, (25, 30), dtype="u1")
        f["pairs"] = [(0, 0), (0, 1), (4, 1), (5, 1), (-1, 0)]
        f["image_names"], f["template_names"] = ["left, upper", "blank", "bad"], ["cut", "noise"]
    return image, image[70:101, 30:67]


def ncc(image, tmpl):
    """The full map, by the definition."""
    m, n = tmpl.shape
    padded = np.pad(image.astype(float), ((m - 1, m - 1), (n - 1, n - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (m, n))
    t = tmpl - tmpl.mean()
    out = np.empty(windows.shape[:2])
    for y, row in enumerate(windows):
        w = row - row.mean(axis=(1, 2), keepdims=True)
        energy = np.sqrt((w**2).sum(axis=(1, 2)) * (t**2).sum())
        out[y] = np.where(energy > 0, (w * t).sum(axis=(1, 2)) / np.where(energy > 0, energy, 1), 0)
    return out


def the_map_is_the_ncc(folder):
    image, tmpl = make_input(folder, np.random.default_rng(3))
    path = os.path.join(folder, "map.h5")
    program("map", os.path.join(folder, "in.h5"), path, "--pair", "0")
    truth = ncc(image, tmpl)
    with h5py.File(path) as f:
        assert f["ncc"].shape == truth.shape and f["ncc"].attrs["origin"].tolist() == [0, 0]
        assert abs(f["ncc"][:] - truth).max() < 1e-9, abs(f["ncc"][:] - truth).max()
        assert f.attrs["coords"].tolist() == [100, 66] and f.attrs["offset"].tolist() == [70, 30]
        assert [f.attrs[k] for k in ("row", "image", "template")] == [0, 0, 0]
        assert abs(f.attrs["peak"] - 1) < 1e-12 and f["ncc"][100, 66] == f.attrs["peak"]
    program("map", os.path.join(folder, "in.h5"), path, "--pair", "0", "--overwrite", "--crop", "20,10", "--min-overlap", "0.5")
    with h5py.File(path) as f:
        part = f["ncc"][:]
        y0, x0 = f["ncc"].attrs["origin"]
        assert y0 >= 10 and x0 >= 20
        there = truth[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        known = ~np.isnan(part)
        assert not known.all() and abs(part - there)[known].max() < 1e-9


def near(pixels, colour, reach=12):
    """Mask of the pixels of about a colour."""
    return (abs(pixels.astype(int) - colour) <= reach).all(axis=2)


def a_picture_marks_the_match(folder):
    make_input(folder, np.random.default_rng(3))
    for options in ((), ("--normalize",), ("--crop", "half")):
        path = os.path.join(folder, "pair.png")
        told = program("map", os.path.join(folder, "in.h5"), path, "--pair", "0", "--overwrite", *options)
        assert "pair 0, ok, peak 1.000000" in told, told
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert pixels.shape[0] > 900 and pixels.shape[1] > 1200
        # The box in the image's panel, the upper left one: its middle and proportions are those of the match.
        ys, xs = np.nonzero(near(pixels[:760, :800], PEAK))
        assert len(ys) > 100, "no box was drawn"
        frame = pixels[:760, :800].min(axis=2) < 60
        top = 150
        columns = np.nonzero(frame[200:600].mean(axis=0) > 0.9)[0]
        left, right = columns[0], columns[-1]
        scale = (right - left) / 150
        box = [ys.min() - top, xs.min() - left, ys.max() - top, xs.max() - left]
        wanted = [70 * scale, 30 * scale, 101 * scale, 67 * scale]
        assert np.allclose(box, wanted, atol=5), f"the box lies at {box}, expected {wanted}"
        # The map's panel has a mark as well.
        assert near(pixels[:760, 850:1580], PEAK).sum() > 50, "the peak is not marked on the map"


def one_scale_of_colours(folder):
    make_input(folder, np.random.default_rng(3))
    glow = {}
    for pair in (0, 1):
        path = os.path.join(folder, f"{pair}.png")
        told = program("map", os.path.join(folder, "in.h5"), path, "--pair", pair)
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)[160:680, 890:1560]
        glow[pair] = ((pixels[..., 0] > 180) & (pixels[..., 1] > 200) & (pixels[..., 2] < 80)).any()  # NCC above 0.85
    assert glow == {0: True, 1: False}, f"what glows: {glow}, the second has {told}"


def words_leave_the_second_peak_alone(folder):
    rng = np.random.default_rng(5)
    stripes = np.tile(rng.integers(0, 200, (60, 14)), (1, 5))[:, :64] + rng.integers(0, 50, (60, 64)) + np.arange(64) // 8
    with h5py.File(os.path.join(folder, "in.h5"), "w") as f:
        f["images/0"], f["templates/0"] = stripes.astype("u1"), stripes[10:41, 8:39].astype("u1")
        f["pairs"] = [(0, 0)]
    for out in ("pair.h5", "pair.png"):
        program("map", os.path.join(folder, "in.h5"), os.path.join(folder, out), "--pair", 0)
    with h5py.File(os.path.join(folder, "pair.h5")) as f:
        (y, x), (peak_y, peak_x), (rows, cols) = f.attrs["second_coords"], f.attrs["coords"], f["ncc"].shape
    assert y == peak_y and x == peak_x + 14, "the second peak lies where the words of the first would be"
    scale = min(690 / cols, 540 / rows)
    left, top = round(880 + (690 - round(cols * scale)) / 2), 150
    centre_y, centre_x = top + (y + 0.5) * scale, left + (x + 0.5) * scale
    pixels = np.asarray(Image.open(os.path.join(folder, "pair.png")).convert("RGB"))
    around = near(pixels[int(centre_y) - 12 : int(centre_y) + 13, int(centre_x) - 12 : int(centre_x) + 13], SECOND, 40)
    sides = around[:6].any(axis=0), around[-6:].any(axis=0), around[:, :6].any(axis=1), around[:, -6:].any(axis=1)
    assert all(side.sum() >= 17 for side in sides), f"the square is hidden: {[int(side.sum()) for side in sides]} of 18"


def odd_pairs(folder):
    make_input(folder, np.random.default_rng(3))
    source = os.path.join(folder, "in.h5")
    told = program("map", source, os.path.join(folder, "flat.png"), "--pair", "2")
    assert "flat" in told
    told = program("map", source, os.path.join(folder, "nan.png"), "--pair", "3", code=3)
    assert "pair 3" in told and "NaN" in told, told
    program("map", source, os.path.join(folder, "none.png"), "--pair", "4", code=3)
    assert not os.path.exists(os.path.join(folder, "nan.png"))


def a_sheet_shows_the_worst(folder):
    make_input(folder, np.random.default_rng(3))
    source, output = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    program("run", source, output, "--progress", "none", code=6)
    heights = []
    for below, shown in ((1.1, 3), (0.9, 2), (0, 0)):
        path = os.path.join(folder, f"sheet{below}.png")
        told = program("map", source, path, "--results", output, "--below", below)
        assert f"{shown} of {shown} pairs" in told and "no answer: 1" in told, told
        heights.append(Image.open(path).size[1])
    assert heights[0] > heights[1] > heights[2], heights
    sizes = []
    for maps in ((), ("--maps",)):
        program("map", source, os.path.join(folder, "maps.png"), "--results", output, "--below", 0.9, "--overwrite", *maps)
        sizes.append(np.asarray(Image.open(os.path.join(folder, "maps.png")).convert("RGB")))
    assert sizes[1].shape[1] > sizes[0].shape[1] + 300 and sizes[1].shape[0] == sizes[0].shape[0]
    blue = near(sizes[1][:, 28 + 4 * 196 : 28 + 5 * 196], (62, 74, 137), 60).sum()
    assert blue > 5000 and near(sizes[0], (62, 74, 137), 30).sum() < 500, f"no map on the sheet: {blue} points"
    told = program("map", source, os.path.join(folder, "most.png"), "--results", output, "--below", "1.1", "--most", "1")
    assert "1 of 3 pairs" in told, told
    table = program("table", output)
    order = [line.split()[0] for line in table.splitlines()[1:]]
    assert order == ["3", "2", "1", "0"], table
    assert "left, upper" in table and '"left, upper"' in program("table", output, "--csv")


def places_with_the_same_ncc_are_a_tie(folder):
    rng = np.random.default_rng(2)
    tmpl = rng.integers(0, 255, (20, 24), dtype="u1")
    image = rng.integers(0, 255, (200, 220), dtype="u1")
    twice = image.copy()
    twice[30:50, 40:64] = twice[130:150, 90:114] = tmpl
    source = os.path.join(folder, "in.h5")
    with h5py.File(source, "w") as f:
        f["images/0"], f["images/1"] = twice, image
        f["templates/0"], f["templates/1"] = tmpl, image[60:90, 70:99]
        f["pairs"] = [(0, 0), (1, 1), (1, 0)]
    first, second = run(folder, "in.h5", "first.h5"), run(folder, "in.h5", "second.h5")
    with h5py.File(second, "r+") as f:
        assert f["coords"][0].tolist() == [49, 63], "of ties the first wins"
        f["coords"][0] = [149, 113]
    told = program("compare", first, second, "--report", os.path.join(folder, "r.json"))
    assert "1 of the other places" in told and told.rstrip().endswith("the same"), told
    with open(os.path.join(folder, "r.json"), encoding="utf-8") as file:
        text = file.read()
    assert '"ties": 1' in text and '"same": true' in text, text
    told = program("compare", first, second, "--ties=off", code=1)
    with h5py.File(second, "r+") as f:
        f["coords"][1] = f["coords"][1] - [1, 0]
    told = program("compare", first, second, code=1)
    assert "The 1 that differ" in told and "1.000000000    0." in told, told
    os.rename(source, source + ".away")
    told = program("compare", first, second, code=1)
    assert "not looked for" in told and "The 2 that differ" in told, told
    told = program("compare", first, second, "--input", source + ".away", code=1)
    assert "The 1 that differ" in told, told


tests = [the_map_is_the_ncc, places_with_the_same_ncc_are_a_tie]
if Image is None or "draws no pictures" in program("map", "none.h5", "none.png", "--pair", "0", code=None):
    print("pictures: skipped: no PIL, or a build without cairo")
else:
    tests += [a_picture_marks_the_match, one_scale_of_colours, words_leave_the_second_peak_alone, odd_pairs]
    tests.append(a_sheet_shows_the_worst)
main(*tests)
