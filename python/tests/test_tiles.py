"""Result.tiles() and Result.field(): what `mpixcorr table --tiles` and `--field` say, and results by hand."""

import csv
import io
import os
import shutil
import subprocess

import numpy as np
import pytest

import mpixcorr
from mpixcorr import Result

h5py = pytest.importorskip("h5py")

PROGRAM = os.environ.get("MPIXCORR") or shutil.which("mpixcorr")
needs_program = pytest.mark.skipif(not PROGRAM, reason="the program mpixcorr is not there")


def _result(moved, boxes, image, status=None, border=None):
    """Results of templates that were found so far from where they were cut."""
    boxes, n = np.asarray(boxes), len(boxes)
    offsets = boxes[:, 1:3] + np.asarray(moved)
    return Result(
        coords=offsets + boxes[:, 3:5] - 1,
        peaks=np.full(n, 0.5),
        status=np.ones(n, np.uint8) if status is None else np.asarray(status, np.uint8),
        offsets=offsets,
        overlap=np.ones(n, np.float32),
        at_border=np.zeros(n, bool) if border is None else np.asarray(border, bool),
        pairs=np.column_stack((np.full(n, image), np.arange(n))),
    )


def test_verdicts():
    boxes = [[2, 100 * i, 5, 20, 40] for i in range(5)] + [[3, 0, 0, 20, 40]]
    edges = _result([[10, 3]] * 3 + [[50, 3], [10, 4], [7, 7]], boxes, 1).tiles(boxes)
    assert [(e.image, e.other, e.verdict) for e in edges] == [(1, 2, "good"), (1, 3, "doubtful")]
    good = edges[0]
    assert good.agrees.tolist() == [True, True, True, False, True] and good.moved.tolist() == [10, 3]
    assert good.spread == 1 and good.rows.tolist() == [0, 1, 2, 3, 4]
    assert good.at[1].tolist() == [109.5, 24.5] and good.found[1].tolist() == [119.5, 27.5]
    strict = _result([[10, 3]] * 2 + [[11, 3]] * 2 + [[30, 3]], boxes[:5], 1).tiles(boxes[:5], agree=(0, 0))
    assert strict[0].verdict == "doubtful" and strict[0].agrees.sum() == 2
    none = _result([[10, 3]] * 5, boxes[:5], 1, border=[1, 1, 1, 1, 0]).tiles(boxes[:5])
    assert none[0].verdict == "none" and np.isnan(none[0].spread) and not none[0].agrees.any()


def test_field():
    boxes = [[0, 10 * y, 20 * x, 16, 16] for y in range(3) for x in range(4)]
    moved = [[y, -x] for y in range(3) for x in range(4)]
    status = np.ones(12)
    status[5] = 2
    field = _result(moved, boxes, 1, status).field(boxes)
    assert field.values.shape == (1, 4, 3, 4) and field.values.dtype == np.float32
    assert field.y.tolist() == [7.5, 17.5, 27.5] and field.x.tolist() == [7.5, 27.5, 47.5, 67.5]
    assert np.isnan(field.values[0, :3, 1, 1]).all() and np.isnan(field.values[0, 3]).all()
    assert field.values[0, 0, 2].tolist() == [0, -1, -2, -3] and field.values[0, 1, :, 2].tolist() == [0, 1, 2]
    scattered = np.random.default_rng(1).integers(0, 9000, (200, 2))
    boxes = np.column_stack((np.zeros(200, int), scattered, np.full((200, 2), 16)))
    with pytest.raises(ValueError, match="regular grid"):
        _result(np.zeros((200, 2), int), boxes, 1).field(boxes)


def test_what_is_missing(case):
    result = mpixcorr.match(case.images, case.templates, case.pairs)
    with pytest.raises(ValueError, match="boxes"):
        result.tiles()


def test_match_knows_its_pairs(case):
    """Boxes of one image sought in another, in the process."""
    boxes = [[0, 10, 12 * i, 21, 24] for i in range(4)]
    templates = [case.images[0][y : y + h, x : x + w] for _, y, x, h, w in boxes]
    shifted = np.roll(case.images[0], (3, -2), (0, 1))
    edges = mpixcorr.match([case.images[0], shifted], templates, [[1, i] for i in range(4)]).tiles(boxes)
    assert [(e.image, e.other, e.verdict) for e in edges] == [(1, 0, "good")] and edges[0].moved.tolist() == [3, -2]


@needs_program
def test_the_same_as_the_program(tmp_path):
    rng = np.random.default_rng(4)
    picture = sum(np.roll(rng.normal(size=(300, 400)), (i, j), (0, 1)) for i in range(4) for j in range(4))
    np.save(tmp_path / "s.npy", np.stack([picture, np.roll(picture, (4, -7), (0, 1))]).astype(np.float32))
    (tmp_path / "pairs.csv").write_text("template,image\ns.npy[0],s.npy[1]\n")
    grid, peaks, field = (str(tmp_path / name) for name in ("grid.h5", "peaks.h5", "field.npy"))
    options = ["--patch", "40,40", "--step", "50,30", "--radius", "12"]
    subprocess.run([PROGRAM, "grid", str(tmp_path / "pairs.csv"), grid, *options], check=True)
    subprocess.run([PROGRAM, "run", grid, peaks, "--quality", "--progress", "none"], check=True)
    subprocess.run([PROGRAM, "table", peaks, "--field", field], check=True)
    result = mpixcorr.read_output(peaks)
    np.testing.assert_array_equal(result.field().values, np.load(field))
    said = subprocess.run([PROGRAM, "table", peaks, "--tiles", "--csv"], check=True, capture_output=True, text=True)
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    (edge,) = result.tiles()
    assert (edge.image_name, edge.other_name, edge.verdict) == ("s.npy[1]", "s.npy[0]", "good")
    assert edge.verdict == rows[0]["verdict"] and edge.rows.tolist() == [int(r["row"]) for r in rows]
    np.testing.assert_allclose(edge.found, [[float(r["image_y"]), float(r["image_x"])] for r in rows], atol=1e-8)
    assert edge.agrees.tolist() == [r["agrees"] == "1" for r in rows]
    assert np.abs(edge.moved - (4, -7)).max() < 0.1
