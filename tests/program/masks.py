#!/usr/bin/env python3
"""Masks in files: answers are those of sums over valid pixels, however masks lie there and whoever reads; the same
bytes on any ranks and threads, resumed too; bad masks are refused in words.
"""
import os
import shutil
import subprocess
import tempfile

from launch import MPIXCORR, PATIENCE_S, h5py, np, on_ranks

SHAPE, TEMPLATE = (40, 46), (13, 11)
TABLES = ("coords", "offsets", "peaks", "overlap", "status", "at_border")
QUALITY = (*TABLES, "subpixel", "curvature", "second_coords", "second_peaks", "top_coords", "top_peaks")


def run(*arguments, ranks=1, code=0, timeout=PATIENCE_S, command="run", **how):
    words = [*on_ranks(ranks), MPIXCORR, command, *map(str, arguments)]
    words += ["--progress", "none"] if command == "run" else []
    done = subprocess.run(words, capture_output=True, timeout=timeout, text=True, check=False, **how)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def tables(path, names=TABLES):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in names}


def same(a, b):
    return all(a[name].tobytes() == b[name].tobytes() for name in a)


def scene(rng, rows, cols):
    coarse = rng.normal(size=(rows // 3 + 2, cols // 3 + 2))
    return (110 + 40 * np.kron(coarse, np.ones((3, 3)))[:rows, :cols] + 5 * rng.normal(size=(rows, cols))).clip(1, 255)


def direct(image, valid, tmpl, t_valid, least=0.3, window=None):
    """(y, x), peak and overlap by sums over the valid pixels, in float64 about the means; None where nothing counts."""
    (rows, cols), (m, n) = image.shape, tmpl.shape
    i0 = np.where(valid, image - image[valid].mean(), 0) if valid.any() else np.zeros(image.shape)
    t0 = np.where(t_valid, tmpl - tmpl[t_valid].mean(), 0) if t_valid.any() else np.zeros(tmpl.shape)

    def sums(a, b):
        out, padded = np.zeros((rows + m - 1, cols + n - 1)), np.pad(a, ((m - 1, m - 1), (n - 1, n - 1)))
        for i in range(m):
            for j in range(n):
                out += b[i, j] * padded[i : i + out.shape[0], j : j + out.shape[1]]
        return out

    ones, t_ones = valid.astype(float), t_valid.astype(float)
    count = sums(ones, t_ones)
    searched = (count > 0) & (count / max(t_ones.sum(), 1) >= least)
    if window is not None:
        inside = np.zeros(searched.shape, bool)
        inside[window[0] : window[2], window[1] : window[3]] = True
        searched &= inside
    if not searched.any():
        return None
    s, u, k = sums(i0, t_ones), sums(ones, t0), np.maximum(count, 1)
    w, t = sums(i0 * i0, t_ones) - s * s / k, sums(ones, t0 * t0) - u * u / k
    ncc = (sums(i0, t0) - s * u / k) / np.sqrt(np.maximum(w, 1e-9) * np.maximum(t, 1e-9))
    ncc = np.where(searched, np.where((w > 1e-6) & (t > 1e-6), ncc, 0), -2)
    y, x = np.unravel_index(np.argmax(ncc > ncc.max() - 1e-12), ncc.shape)
    return (y, x), ncc[y, x], count[y, x] / t_ones.sum()


def check(path, expected):
    found = tables(path)
    for row, answer in enumerate(expected):
        told = [found[name][row] for name in TABLES]
        if answer is None:
            assert found["status"][row] == 7 and list(found["coords"][row]) == [-1, -1], (row, told)
            assert np.isnan(found["peaks"][row]) and np.isnan(found["overlap"][row]), (row, told)
            continue
        assert tuple(found["coords"][row]) == answer[0], (row, told, answer)
        assert abs(found["peaks"][row] - answer[1]) < 1e-9 and found["overlap"][row] == np.float32(answer[2]), (row, told)


def masks_of(rng, n, shape):
    """A frame, a corner, random columns, half of it, all of it, nothing, a checkerboard."""
    out = np.ones((n, *shape), bool)
    out[0, :3], out[0, -3:], out[0, :, :3], out[0, :, -3:] = 0, 0, 0, 0
    out[1, : shape[0] // 2, : shape[1] // 2] = 0
    out[2][:, rng.random(shape[1]) < 0.2] = 0
    out[3, shape[0] // 2 :] = 0
    out[4] = 0
    out[6, ::2, ::2] = out[6, 1::2, 1::2] = 0
    return out


def cut(image, y, x):
    return image[y : y + TEMPLATE[0], x : x + TEMPLATE[1]]


def stacks(folder):
    """A stack, h5py's booleans, and boxes, which have the masks of their images."""
    rng, path, out = np.random.default_rng(1), os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    images = np.stack([scene(rng, *SHAPE) for _ in range(7)]).astype("u1")
    masks = masks_of(rng, 7, SHAPE)
    boxes = [(i, 9 + i, 14 + i, *TEMPLATE) for i in range(7)]
    pairs = [(i, i) for i in range(7)] + [(i, (i + 3) % 7) for i in range(7)]
    with h5py.File(path, "w") as file:
        file["images"], file["image_masks"], file["templates"], file["pairs"] = images, masks, boxes, pairs
    truth = [direct(images[i], masks[i], cut(images[boxes[t][0]], *boxes[t][1:3]), cut(masks[boxes[t][0]], *boxes[t][1:3]))
             for i, t in pairs]
    run(path, out)
    check(out, truth)
    assert "masks      7 of images" in run(path, command="info"), "info"
    assert "masked" in run(path, "--dry-run") and "masked" in run(out, command="table"), "dry run, table"
    assert "the same" in run(out, out, command="compare"), "masked rows differ from themselves"
    shown = os.path.join(folder, "map.h5")
    run(path, shown, "--pair", 9, command="map")
    run(path, shown, "--pair", 9, "--results", out, "--overwrite", command="map")
    with h5py.File(shown) as file:
        name = next(key for key in file if file[key].ndim == 2)
        assert abs(np.nanmax(file[name][()]) - truth[9][1]) < 1e-9, "the map is of other pixels"
    run(path, out, "--resume")  # complete
    run(path, out, "--outside", "zero", "--overwrite", code=2)
    return path


def groups(folder):
    """A group that leaves some out, with gaps, chunks and floats; stored templates with masks; windows; all options."""
    rng, path, out = np.random.default_rng(2), os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    ids, kinds = [3 * i + 1 for i in range(7)], ["u1", "<i2", ">u2", "<f4", ">f8", "u1", "<f2"]
    shapes = [(SHAPE[0] + i, SHAPE[1] - i) for i in range(7)]
    images = [scene(rng, *shape).astype(kind) for shape, kind in zip(shapes, kinds)]
    masks = [masks_of(rng, 7, shape)[i] for i, shape in enumerate(shapes)]
    templates = [np.ascontiguousarray(cut(images[t % 7], 4 + t, 20)) for t in range(9)]
    t_masks = masks_of(rng, 9, TEMPLATE)
    pairs = [(i, t) for i in range(7) for t in range(9)]
    windows = np.array([(rng.integers(0, 9), rng.integers(0, 9), 45, 44) for _ in pairs])
    with h5py.File(path, "w") as file:
        for i in range(7):
            file[f"images/{ids[i]:02d}"] = images[i]
            if i not in (5, 6):
                file.create_dataset(f"image_masks/{ids[i]}", data=255 * masks[i].astype(kinds[i]), chunks=(16, 16), compression=1)
        file["templates"] = np.stack([t.astype("f4") for t in templates])
        file["template_masks"], file["search"] = t_masks.astype("u1"), windows
        file["pairs"] = [(ids[i], t) for i, t in pairs]
    all_valid = [np.ones(s, bool) if i in (5, 6) else masks[i] for i, s in enumerate(shapes)]
    truth = [direct(images[i].astype(float), all_valid[i], templates[t].astype("f4").astype(float), t_masks[t], 0.2, windows[row])
             for row, (i, t) in enumerate(pairs)]
    run(path, out, "--min-overlap", 0.2)
    check(out, truth)
    ways(folder, path, ["--min-overlap", "0.2", "--quality", "--peaks", "3", "--crop", "2,3"])
    ways(folder, path, ["--normalize", "--eps", "1", "--filter", "median:3,log:1", "--quality", "--peaks", "3"])


def ways(folder, path, options):
    """The same bytes on any ranks, threads, by whoever reads, resumed."""
    one, other = os.path.join(folder, "one.h5"), os.path.join(folder, "other.h5")
    run(path, one, *options, "--overwrite")
    truth = tables(one, QUALITY)
    assert (truth["status"] == 1).any() and (truth["status"] == 7).any(), truth["status"]
    for ranks, more in ((2, ["--read", "all", "--threads", "2"]), (3, ["--read", "root"]), (3, ["--read", "all", "--no-group"])):
        run(path, other, *options, "--overwrite", *more, ranks=ranks)
        assert same(truth, tables(other, QUALITY)), (ranks, more)
    part = other + ".part"
    shutil.move(other, part)  # what a run leaves that was stopped when half was done
    with h5py.File(part, "r+") as file:
        file["status"][len(truth["status"]) // 2 :] = 0
        file["peaks"][len(truth["status"]) // 2 :] = np.nan
    masks = os.path.join(folder, "others.h5")
    shutil.copy(path, masks)
    with h5py.File(masks, "r+") as file:
        file["template_masks"][3, 0, 0] ^= 1
    assert "fingerprints" in run(masks, other, *options, "--resume", code=3), "other masks"
    assert "--mask-value" in run(path, other, *options, "--resume", "--mask-value", 7, code=3), "other values"
    run(path, other, *options, "--resume", ranks=2)
    assert same(truth, tables(other, QUALITY)), "resumed"


def one_mask_and_values(folder):
    """One mask for all images; values and NaN; masked pixels may be anything."""
    rng, path, out = np.random.default_rng(3), os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    images = np.stack([scene(rng, *SHAPE) for _ in range(3)]).astype("f4")
    templates = np.stack([cut(images[i], 12, 9) for i in range(3)])
    mask = np.ones(SHAPE, "u1")
    mask[20:23] = 0
    images[:, 21], images[1, :, 7], images[2, 5] = np.inf, 0, np.nan
    templates[2, 3:5] = np.nan
    with h5py.File(path, "w") as file:
        file["images"], file["templates"], file["image_masks"] = images, templates, mask
        file["pairs"] = [(i, t) for i in range(3) for t in range(3)]
    valid = [(mask != 0) & (image != 0) & ~np.isnan(image) for image in images]
    t_valid = [~np.isnan(t) & (t != 0) for t in templates]
    truth = [direct(images[i].astype(float), valid[i], templates[t].astype(float), t_valid[t]) for i in range(3) for t in range(3)]
    run(path, out, "--mask-value", "0,nan")
    check(out, truth)
    run(path, out, "--overwrite", code=6)
    assert list(tables(out)["status"]) == [1, 1, 3, 1, 1, 3, 3, 3, 3], "NaN is no mask unasked"
    # Filters see the mean of the valid pixels in place of the masked ones.
    filled = [np.where(v, image.astype(float), image[v].astype(float).mean()) for image, v in zip(images, valid)]
    t_filled = [np.where(v, t.astype(float), t[v].astype(float).mean()) for t, v in zip(templates, t_valid)]
    before, again = os.path.join(folder, "before.h5"), os.path.join(folder, "again.h5")
    with h5py.File(before, "w") as file:
        file["images"], file["templates"] = np.stack(filled), np.stack(t_filled)
        file["image_masks"], file["template_masks"] = np.stack(valid), np.stack(t_valid)
        file["pairs"] = [(i, t) for i in range(3) for t in range(3)]
    run(path, out, "--mask-value", "0,nan", "--filter", "gauss:1.5", "--overwrite")
    run(before, again, "--filter", "gauss:1.5")
    a, b = tables(out), tables(again)
    assert np.abs(a["peaks"] - b["peaks"]).max() < 1e-6 and (a["coords"] == b["coords"]).all(), "filtered"


def sources(folder):
    """Names of files, of images and of masks; every rank reads; a mask that cannot be read makes its pairs unreadable."""
    rng, path, out = np.random.default_rng(4), os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    images, masks = [scene(rng, *SHAPE).astype("u1") for _ in range(4)], masks_of(rng, 7, SHAPE)[:4]
    for i in range(4):
        np.save(os.path.join(folder, f"image{i}.npy"), images[i])
        np.save(os.path.join(folder, f"mask{i}.npy"), masks[i].astype("u1"))
    with h5py.File(path, "w") as file:
        file["images"], file["image_masks"] = [[f"{what}{i}.npy".encode() for i in range(4)] for what in ("image", "mask")]
        file["templates"] = [(i, 10, 20, *TEMPLATE) for i in range(4)]
        file["pairs"] = [(i, t) for i in range(4) for t in range(4)]
    truth = [direct(images[i], masks[i], cut(images[t], 10, 20), cut(masks[t], 10, 20)) for i in range(4) for t in range(4)]
    run(path, out)
    check(out, truth)
    one = tables(out)
    run(path, out, "--overwrite", "--read", "all", ranks=3)
    assert same(one, tables(out)), "every rank reads"
    os.truncate(os.path.join(folder, "mask2.npy"), 500)
    assert "mask2.npy" in run(path, out, "--overwrite", code=6), "no name of the file"
    assert (tables(out)["status"] == 4).sum() == 7, "what needs the mask is unreadable"


def parts(folder):
    """Of an image that is matched in parts, parts of its mask are read as well."""
    rng, path, out = np.random.default_rng(5), os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    side, (y, x) = 6000, (3000, 4100)
    image, mask = scene(rng, 200, 180).astype("u1"), masks_of(rng, 7, (200, 180))[2]
    with h5py.File(path, "w") as file:
        for name, data in (("images", image), ("image_masks", mask)):
            whole = file.create_dataset(name, (1, side, side), data.dtype, chunks=(1, 512, 512), compression=1)
            whole[0, y : y + 200, x : x + 180] = data
        file["templates"], file["pairs"], file["near"] = [(0, y + 40, x + 50, 60, 55)], [(0, 0)], [(y + 42, x + 51, 30, 25)]
    run(path, out)
    found = tables(out)
    window = (42 - 30 + 59, 51 - 25 + 54, 42 + 31 + 59, 51 + 26 + 54)
    at, peak, overlap = direct(image.astype(float), mask, image[40:100, 50:105].astype(float), mask[40:100, 50:105], 0.3, window)
    assert list(found["coords"][0]) == [y + at[0], x + at[1]] == [y + 99, x + 104], found
    assert abs(found["peaks"][0] - peak) < 1e-9 and found["overlap"][0] == np.float32(overlap), found
    assert "in parts" in run(path, "--dry-run")


def refused(folder):
    path = os.path.join(folder, "in.h5")
    images, templates = np.zeros((3, 9, 8), "u1"), np.zeros((2, 3, 3), "u1")

    def words(boxes=False, **more):
        with h5py.File(path, "w") as file:
            file["images"], file["pairs"] = images, [(0, 0)]
            file["templates"] = [(0, 1, 1, 3, 3)] if boxes else templates
            for name, data in more.items():
                file[name] = data
        return run(path, os.path.join(folder, "never.h5"), code=3)

    assert "/image_masks" in words(image_masks=np.ones((2, 9, 8), "u1"))
    assert "9 x 7" in words(image_masks=np.ones((9, 7), "u1"))
    assert "4 x 3" in words(template_masks=np.ones((2, 4, 3), "u1"))
    assert "boxes" in words(boxes=True, template_masks=np.ones((1, 3, 3), "u1"))
    assert "id 5" in words(**{"image_masks/5": np.ones((9, 8), "u1")})
    assert "/image_masks" in words(image_masks=np.ones(3))
    assert "/image_masks" in words(image_masks=np.ones((9, 8), "c8"))


with tempfile.TemporaryDirectory() as root:
    for case in (stacks, groups, one_mask_and_values, sources, parts, refused):
        place = os.path.join(root, case.__name__)
        os.mkdir(place)
        case(place)
        print(f"passed {case.__name__}")
