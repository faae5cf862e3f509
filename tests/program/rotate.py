#!/usr/bin/env python3
"""Turned templates in a job: the best of templates that numpy has turned, boxes with what lies around them in their image;
the same bytes on any ranks, threads and readers, and resumed; known angles; map, table and comparison.
"""
import csv
import decimal
import io
import json
import os

from cases import main
from launch import MPIXCORR, h5py, launch, np, on_ranks

DATASETS = ("coords", "offsets", "peaks", "overlap", "status", "at_border", "angles", "subpixel", "subpixel_offsets",
            "curvature", "second_coords", "second_peaks", "top_coords", "top_peaks")
OPTIONS = ("--quality", "--peaks", "2")
ANGLES = [-3, -1.5, 0, 1.5, 3]


def sine(degrees):
    """Correctly rounded, from 50 digits."""
    with decimal.localcontext() as context:
        context.prec = 50
        x = decimal.Decimal(str(degrees)) * decimal.Decimal("3.14159265358979323846264338327950288419716939937511") / 180
        term, total, n = x, x, 1
        while abs(term) > decimal.Decimal(10) ** -45:
            term *= -x * x / ((n + 1) * (n + 2))
            total, n = total + term, n + 2
        return float(total)


def turned(image, box, degrees, mask=None):
    """A box turned about its centre; beyond its image its mean. With the image's mask also which pixels are valid."""
    y0, x0, rows, cols = box
    whole, own = image.astype(float), image[y0 : y0 + rows, x0 : x0 + cols].astype(float)
    cosine, s = sine(90 - degrees), sine(degrees)
    cy, cx = (rows - 1) / 2, (cols - 1) / 2
    dy, dx = np.arange(rows)[:, None] - cy, np.arange(cols)[None, :] - cx
    y, x = cy + dy * cosine + dx * s, cx + dx * cosine - dy * s
    row, col = np.floor(y).astype(int), np.floor(x).astype(int)
    fy, fx = y - row, x - col
    row, col = row + y0, col + x0
    there = (row >= 0) & (col >= 0) & (row + (fy > 0) < image.shape[0]) & (col + (fx > 0) < image.shape[1])
    row, col = np.where(there, row, 0), np.where(there, col, 0)
    below, right = np.minimum(row + 1, image.shape[0] - 1), np.minimum(col + 1, image.shape[1] - 1)
    upper = whole[row, col] + fx * (whole[row, right] - whole[row, col])
    lower = whole[below, col] + fx * (whole[below, right] - whole[below, col])
    if mask is not None:
        there = there & mask[row, col] & (mask[row, right] | (fx == 0)) & (mask[below, col] | (fy == 0))
        there = there & (mask[below, right] | (fx == 0) | (fy == 0))
        return np.where(there, upper + fy * (lower - upper), 7).astype("f4"), there
    return np.where(there, upper + fy * (lower - upper), own.mean()).astype("f4")


def program(*words, ranks=1, code=0, **how):
    done = launch([*(on_ranks(ranks) if words[0] == "run" else []), MPIXCORR, *words], **how)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def run(path, out, *options, ranks=1, code=0):
    return program("run", path, out, "--overwrite", "--progress", "none", *options, ranks=ranks, code=code)


def results(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in DATASETS if name in file}


def make(boxes):
    """Images and places of templates, some at the rim; pairs of other images, too. Writes in.h5."""
    random = np.random.default_rng(7)
    images = np.kron(random.normal(size=(4, 30, 28)), np.ones((4, 4)))[:, :115, :106] * 30 + 120
    images = (images + 4 * random.normal(size=images.shape)).clip(0, 255).astype("u1")
    places = [(0, 0, 0, 41, 38), (1, 30, 30, 41, 38), (2, 74, 60, 41, 38), (3, 40, 50, 36, 45), (3, 2, 61, 36, 45)]
    pairs = [(p[0], t) for t, p in enumerate(places)] + [((p[0] + 1) % 4, t) for t, p in enumerate(places)]
    with h5py.File("in.h5", "w") as file:
        file["images"], file["pairs"] = images, pairs
        if boxes:
            file["templates"] = np.array(places, "i4")
        for t, (i, y, x, m, n) in enumerate([] if boxes else places):
            file[f"templates/{t}"] = images[i, y : y + m, x : x + n]
    if boxes:
        return images, [(images[i], box) for i, *box in places], pairs
    return images, [(images[i, y : y + m, x : x + n], (0, 0, m, n)) for i, y, x, m, n in places], pairs


def against_numpy():
    for boxes in False, True:
        images, templates, pairs = make(boxes)
        answers = []
        for angle in ANGLES:
            with h5py.File("turned.h5", "w") as file:
                file["images"], file["pairs"] = images, pairs
                for t, (image, box) in enumerate(templates):
                    file[f"templates/{t}"] = turned(image, box, angle)
            run("turned.h5", "one.h5", *OPTIONS)
            answers.append(results("one.h5"))
        run("in.h5", "found.h5", *OPTIONS, "--rotate", "-3:3:1.5")
        found, best = results("found.h5"), best_angles(answers)
        assert found.pop("angles").tolist() == [ANGLES[k] for k in best] and len(set(best)) > 2, best
        for name, values in found.items():
            expected = np.array([answers[k][name][row] for row, k in enumerate(best)], values.dtype)
            assert values.tobytes() == expected.tobytes(), (name, boxes)


def best_angles(answers):
    """The index of the best angle of each pair."""
    best = []
    for row in range(len(answers[0]["peaks"])):
        peaks = np.array([a["peaks"][row] for a in answers])
        best.append(min(np.flatnonzero(peaks >= peaks.max() - 1e-12), key=lambda k: (abs(ANGLES[k]), ANGLES[k])))
    return best


def with_masks():
    """What is turned in from beyond the image, or is masked there, is masked."""
    images, templates, pairs = make(True)
    masks = np.random.default_rng(3).random(images.shape) > 0.004
    masks[:, :9] = False
    with h5py.File("in.h5", "a") as file:
        file["image_masks"] = masks.astype("u1")
    answers = []
    for angle in ANGLES:
        with h5py.File("turned.h5", "w") as file:
            file["images"], file["pairs"], file["image_masks"] = images, pairs, masks.astype("u1")
            for t, (image, box) in enumerate(templates):
                pixels, valid = turned(image, box, angle, masks[pairs[t][0]])  # the first pairs are of their own images
                file[f"templates/{t}"], file[f"template_masks/{t}"] = pixels, valid.astype("u1")
        run("turned.h5", "one.h5", *OPTIONS)
        answers.append(results("one.h5"))
    run("in.h5", "found.h5", *OPTIONS, "--rotate", "-3:3:1.5", "--threads", "1")
    found, best = results("found.h5"), best_angles(answers)
    run("in.h5", "again.h5", *OPTIONS, "--rotate", "-3:3:1.5", "--read", "all", "--threads", "1", ranks=2)
    assert all(results("again.h5")[name].tobytes() == found[name].tobytes() for name in DATASETS)
    program("map", "in.h5", "map.h5", "--pair", "1", "--results", "found.h5")
    with h5py.File("map.h5") as file:
        ncc = next(file[key][()] for key in file if file[key].ndim == 2)
        assert abs(np.nanmax(ncc) - found["peaks"][1]) < 1e-9
    for out, words in (("one.png", ("--pair", "1")), ("sheet.png", ("--below", "2", "--maps"))):
        done = launch([MPIXCORR, "map", "in.h5", out, *words, "--results", "found.h5"])
        if "draws no pictures" in done.stderr:
            continue
        assert done.returncode == 0 and os.path.getsize(out) > 10000, done
        assert words[0] != "--pair" or f"pair 1, ok, peak {found['peaks'][1]:.6f}" in done.stdout, done
    assert found.pop("angles").tolist() == [ANGLES[k] for k in best], best
    for name, values in found.items():
        expected = np.array([answers[k][name][row] for row, k in enumerate(best)], values.dtype)
        assert values.tobytes() == expected.tobytes(), name


def same_bytes():
    make(True)
    options = (*OPTIONS, "--outside", "ignore", "--rotate=-3:3:1.5")
    run("in.h5", "out.h5", *options, "--threads", "1")
    truth = results("out.h5")
    for ranks, read, threads in (2, "all", 1), (3, "root", 2):
        run("in.h5", "again.h5", *options, "--read", read, "--threads", threads, ranks=ranks)
        again = results("again.h5")
        assert all(again[name].tobytes() == truth[name].tobytes() for name in DATASETS), (ranks, read, threads)
    os.rename("out.h5", "out.h5.part")
    with h5py.File("out.h5.part", "r+") as file:
        file["status"][1:7] = 0
        file["angles"][1:7] = 99
    words = program("run", "in.h5", "out.h5", "--resume", "--progress", "none", *options[:-1], "--rotate=-3:3:3", code=3)
    assert "--rotate=-3:3:1.5" in words and "--rotate=-3:3:3" in words, words
    program("run", "in.h5", "out.h5", "--resume", "--progress", "none", *options, ranks=2)
    assert all(results("out.h5")[name].tobytes() == truth[name].tobytes() for name in DATASETS), "resumed"
    # filters see what lies around a box
    run("in.h5", "a.h5", "--filter", "gauss:1", "--rotate=-3:3:1.5")
    run("in.h5", "b.h5", "--filter", "gauss:1", "--rotate=-3:3:1.5", "--read", "all", "--threads", "1", ranks=2)
    assert results("a.h5")["peaks"].tobytes() == results("b.h5")["peaks"].tobytes() != truth["peaks"].tobytes()


def shared_angles():
    """Few pairs and many angles: ranks share the angles of a pair, of which each way to do so has the same bytes."""
    random = np.random.default_rng(11)
    images = np.kron(random.normal(size=(2, 80, 80)), np.ones((5, 5))) * 30 + 120
    images = (images + 4 * random.normal(size=images.shape)).clip(0, 255).astype("u1")
    images[1, :, :390] = 77  # nearly all flat
    places = [(0, 100, 120, 110, 130), (0, 5, 260, 110, 130), (1, 10, 10, 60, 60)]
    with h5py.File("in.h5", "w") as file:
        file["images"], file["templates"] = images, np.array(places, "i4")
        file["pairs"] = [(0, 0), (0, 1), (1, 2), (1, 0)]
    for options in (*OPTIONS, "--rotate=-30:30:1"), ("--rotate=-30:30:1", "--outside", "ignore"):
        run("in.h5", "one.h5", *options, "--threads", "1")
        truth = results("one.h5")
        ways = (1, "root", 2), (2, "root", 1), (3, "all", 2), (5, "root", 1)
        for ranks, read, threads in ways if "--quality" in options else ways[2:3]:
            run("in.h5", "again.h5", *options, "--read", read, "--threads", threads, "--report", "r.json", ranks=ranks)
            again = results("again.h5")
            for name in truth:
                assert again[name].tobytes() == truth[name].tobytes(), (options, ranks, name, again[name], truth[name])
            with open("r.json", encoding="utf-8") as file:
                report = json.load(file)
            assert ranks == 1 or (report["handouts"] > 8 and report["seconds"]["computing"]["min"] > 0), report
        if "--quality" not in options:
            continue
        # what a stop leaves undone of a pair is done again
        said = launch([*on_ranks(2), MPIXCORR, "run", "in.h5", "again.h5", "--overwrite", "--progress", "none", *options,
                       "--threads", "1", "--time-limit", "0.15"])
        assert said.returncode in (0, 75), said
        program("run", "in.h5", "again.h5", "--resume", "--progress", "none", *options, "--threads", "1", ranks=3)
        again = results("again.h5")
        assert all(again[name].tobytes() == truth[name].tobytes() for name in truth), "resumed"


def looked_at():
    program("generate", "in.h5", "--preset", "tiny", "--templates", "11", "--images", "1", "--turn", "20")
    assert "rotate   each template by 11 angles, -20:20:4 degrees" in run("in.h5", "out.h5", "--rotate=-20:20:4")
    assert results("out.h5")["angles"].tolist() == list(range(-20, 21, 4))
    said = program("compare", "out.h5", "in.h5", "--coord-tolerance", "1", "--report", "r.json")
    assert "angles       11 of 11 equal within 0 degrees" in said, said
    with open("r.json", encoding="utf-8") as file:
        assert json.load(file)["angles"] == {"compared": 11, "equal": 11, "largest_degrees": 0}
    run("in.h5", "other.h5", "--rotate=-18:18:4")
    said = program("compare", "out.h5", "other.h5", "--coord-tolerance", "9", "--peak-tolerance", "1", code=1)
    assert "of 11 equal within 0 degrees" in said and "different" in said, said
    program("compare", "out.h5", "other.h5", "--coord-tolerance", "9", "--peak-tolerance", "1", "--angle-tolerance", "2")
    program("map", "in.h5", "map.h5", "--pair", "2", "--results", "out.h5")
    with h5py.File("map.h5") as file:
        ncc = next(file[key][()] for key in file if file[key].ndim == 2)
        assert file.attrs["angle"] == -12 and abs(np.nanmax(ncc) - results("out.h5")["peaks"][2]) < 1e-9
    rows = csv.DictReader(io.StringIO(program("table", "out.h5", "--csv")))
    assert {int(row["row"]): float(row["angle"]) for row in rows} == {i: 4 * i - 20 for i in range(11)}
    assert " angle " in program("table", "out.h5").splitlines()[0]
    assert "11 angles" in program("run", "in.h5", "--rotate=-5:5:1", "--dry-run")
    for wrong in "-6:6", "6:-6:1", "-6:6:5", "0:1:0", "0:1:0.0000001", "0:400:1", "0:1:nan", "0:1:1:1", "":
        assert "--rotate" in run("in.h5", "never.h5", "--rotate", wrong, code=2)


if __name__ == "__main__":
    main(against_numpy, with_masks, same_bytes, shared_angles, looked_at)
