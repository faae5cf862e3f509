#!/usr/bin/env python3
"""`mosaic`, `run`, `table --tiles` on tiles cut from a picture: every edge is good and right; with two files swapped, or
positions worse than --stage-error, no wrong one is. What --format prints is the same in every format.
"""
import json
import os

from mosaic_common import cut_tiles, edges, h5py, main, np, program, scene, write_stage

ROWS, COLS = 300, 340
#: Where 2 x 3 tiles really are, and by how much the stage is wrong there, (y, x).
PLACES = [(20 + 200 * r + 5 * c, 20 + 240 * c + 7 * r) for r in range(2) for c in range(3)]
ERRORS = [(0, 0), (9, -8), (-7, 6), (12, 11), (-5, -13), (3, 10)]
EDGES = {(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)}


def make(folder, names=None, errors=ERRORS, options=(), columns=None):
    """The three commands. Answers the edges and what `run` said."""
    tiles = cut_tiles(folder, scene(700, 1000), PLACES, ROWS, COLS)
    stage = [(y + dy, x + dx) for (y, x), (dy, dx) in zip(PLACES, errors)]
    table, tiles_h5, results = (os.path.join(folder, name) for name in ("stage.csv", "tiles.h5", "tiles_peaks.h5"))
    write_stage(table, names or tiles, stage, **(columns or {"id": tiles}))
    said = program("mosaic", table, tiles_h5, *options)
    assert f"mpixcorr run {tiles_h5} {results} --quality" in said and f"mpixcorr table {results} --tiles" in said, said
    return results, program("run", tiles_h5, results, "--quality", "--progress", "none")


def number(name):
    return int(name.strip("t.png"))


def is_right(edge, rows, index=number):
    """Whether all agreeing displacements of an edge are the true ones."""
    a, b = (np.array(PLACES[index(name)]) for name in edge)
    found = [(float(r["dy"]), float(r["dx"])) for r in rows if r["agrees"] == "1"]
    return len(found) > 0 and np.abs(np.array(found) - (b - a)).max() < 0.5


def all_good(folder):
    results, _ = make(folder)
    found = edges(results)
    assert {(number(a), number(b)) for a, b in found} == EDGES, list(found)
    for edge, rows in found.items():
        assert 3 <= len(rows) <= 5 and all(r["verdict"] == "good" and r["agrees"] == "1" for r in rows), (edge, rows)
        assert is_right(edge, rows), (edge, rows)
        for r in rows:  # centres differ by the displacement
            assert abs(float(r["image_x"]) - float(r["other_x"]) - float(r["dx"])) < 1e-6
    text = program("table", results, "--tiles")
    assert "7 pairs of images: 7 good, 0 doubtful, 0 none" in text, text
    assert all(f" {len(rows)} of {len(rows)} " in text for rows in found.values()), text


def swapped_files(folder):
    results, _ = make(folder, names=["t0.png", "t4.png", "t2.png", "t3.png", "t1.png", "t5.png"])
    for edge, rows in edges(results).items():
        touched = any(number(name) in (1, 4) for name in edge)
        assert all((r["verdict"] == "good") != touched for r in rows), (edge, rows)


def worse_than_stage_error(folder):
    errors = [*ERRORS[:4], (60, -55), ERRORS[5]]
    results, said = make(folder, errors=errors, options=("--stage-error", 25))
    assert "border" in said, said
    n_right = 0
    for edge, rows in edges(results).items():
        if rows[0]["verdict"] == "good":
            assert is_right(edge, rows), (edge, rows)
            n_right += 1
        else:
            assert "t4.png" in edge, (edge, rows)
    assert n_right >= 3, n_right


def formats(folder):
    sections, ids = ["b", "b", "b", "a", "a", "a"], ["six", "five", 'f"our', "three", "two", "one"]
    results, _ = make(folder, columns={"section": sections, "id": ids})
    rows = edges(results)
    index = {name: i for i, name in enumerate(ids)}
    assert {frozenset(map(index.get, edge)) for edge in rows} == {frozenset(e) for e in ((0, 1), (1, 2), (3, 4), (4, 5))}
    listed = json.loads(program("table", results, "--tiles", "--format", "json"))
    assert len(listed) == len(rows)
    for item in listed:
        mine = rows[item["image_name"], item["other_name"]]
        assert item["image_group"] == item["other_group"] == sections[item["image"]], item
        assert item["listed"] == len(mine) == len(item["templates"]) and item["verdict"] == "good", item
        for a, b in zip(item["templates"], mine):
            assert a["row"] == int(b["row"]) and a["dx"] == float(b["dx"]) and a["image_y"] == float(b["image_y"])
        assert abs(np.median([t["dx"] for t in item["templates"]]) - item["dx"]) < 1e-6, item
    matches = json.loads(program("table", results, "--format", "render"))
    assert len(matches) == len(rows)
    for match in matches:
        assert match["pId"] < match["qId"] and match["pGroupId"] == match["qGroupId"], match
        p, q = np.array(match["matches"]["p"]), np.array(match["matches"]["q"])  # [x or y, points]
        true = np.array(PLACES[index[match["qId"]]]) - np.array(PLACES[index[match["pId"]]])
        assert p.shape == q.shape == (2, len(match["matches"]["w"])), match
        assert np.abs((p - q).T - true[::-1]).max() < 0.5, match
    plain = json.loads(program("table", results, "--format", "json"))
    assert len(plain) == sum(map(len, rows.values())) and plain[0]["status"] == "ok", plain[0]


def rule(folder):
    """Verdicts of a result by hand: what is at the border, or not ok, has no say but is listed."""
    results, _ = make(folder, options=("--template", "40,40"))
    name = sorted(edges(results))[0]
    row = [int(r["row"]) for r in edges(results)[name]]
    for at_border, status, expected in ((1, [], "good"), (2, [], "good"), (2, [4], "doubtful"), (4, [], "none"), (0, [1, 2, 3], "doubtful")):
        with h5py.File(results, "r+") as file:
            border, old = file["at_border"][:], file["status"][:]
            file["at_border"][row[:at_border]] = 1
            for k in status:
                file["status"][row[k]] = 2
        assert len(row) == 5 and edges(results)[name][0]["verdict"] == expected, (at_border, status, expected)
        with h5py.File(results, "r+") as file:
            file["at_border"][:], file["status"][:] = border, old
    # --agree: nothing may differ at all
    strict = edges(results, "--agree", "0,0")
    assert any(rows[0]["verdict"] != "good" for rows in strict.values()), strict


def usage(folder):
    results, _ = make(folder)
    assert "--csv found with another --format" in program("table", results, "--csv", "--format", "json", code=2)
    assert "PX,PERCENT" in program("table", results, "--agree", "3", code=2)
    program("generate", os.path.join(folder, "in.h5"), "--preset", "tiny")
    program("run", os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5"))
    said = program("table", os.path.join(folder, "out.h5"), "--tiles", code=3)
    assert "expected boxes [n, 5]" in said, said
    os.rename(os.path.join(folder, "tiles.h5"), os.path.join(folder, "moved.h5"))
    program("table", results, "--tiles", code=3)
    assert "7 good" in program("table", results, "--tiles", "--input", os.path.join(folder, "moved.h5"))


main(all_good, swapped_files, worse_than_stage_error, formats, rule, usage)
