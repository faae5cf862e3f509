#!/usr/bin/env python3
"""`mpixcorr report`: one file that stands alone and holds the results, whatever names are, and with a million rows."""
import base64
import hashlib
import json
import os
import re

from look_common import h5py, main, np, program, run
from report_cases import make_sections, synthetic

HOSTILE = ["</script><script>alert(1)</script>", "<!-- <b>", 'a "quoted" & name', "naïve\u2028.tif"]


def data_of(path):
    with open(path, encoding="utf-8") as file:
        page = file.read()
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(found) == 1, "the data are not in one piece"
    return page, json.loads(found[0])


def report(folder, output, name="page.html", *options, code=0):
    path = os.path.join(folder, name)
    told = program("report", os.path.join(folder, output), path, "--overwrite", *options, code=code)
    return (told, *data_of(path)) if code == 0 else told


def make(folder, *options, names=None):
    path = os.path.join(folder, "in.h5")
    program("generate", path, "--preset", "tiny", "--images", 2)
    if names:
        with h5py.File(path, "a") as f:
            f["image_names"] = names[:2]
            f["template_names"] = (5 * names)[:10]
    run(folder, "in.h5", "out.h5", *options)


def one_file_holds_all(folder):
    make(folder, "--quality", "--report", os.path.join(folder, "run.json"), names=HOSTILE)
    told, page, data = report(folder, "out.h5", "page.html", "--run", os.path.join(folder, "run.json"), "--pictures", 4)
    assert "10 of 10 pairs" in told and "4 with pictures" in told, told
    with h5py.File(os.path.join(folder, "out.h5")) as f:
        digest = hashlib.sha256(b"".join(f[name][:].tobytes() for name in ("coords", "peaks", "status"))).hexdigest()
        assert data["digest"] == digest
        order = np.argsort(f["peaks"][:])
        assert [row[0] for row in data["rows"]] == order.tolist(), "worst first"
        for row in data["rows"]:
            assert row[6:8] == f["offsets"][row[0]].tolist() and abs(row[8] - f["peaks"][row[0]]) < 1e-8
        assert data["attributes"]["command_line"] == f.attrs["command_line"].decode()
        assert sum(data["peaks"]["counts"]) == 10 and sum(data["ratios"]["counts"]) == 10
        assert abs(data["peaks"]["median"] - np.median(f["peaks"][:])) < 0.03
    assert {row[3] for row in data["rows"]} == set(HOSTILE[:2]), "names as they are"
    assert sorted(map(int, data["pictures"])) == sorted(order[:4].tolist())
    for picture in data["pictures"].values():
        png = base64.b64decode(picture, validate=True)
        assert png[:8] == b"\x89PNG\r\n\x1a\n" and png[-8:-4] == b"IEND"
    assert data["run"]["seconds"]["computing"]["max"] > 0
    # no address anywhere but the name space of SVG, and a policy that forbids all loading
    addresses = set(re.findall(r"https?://[^\s\"'<]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}, addresses
    assert "default-src 'none'" in page and not re.findall(r"""(?:src|href)=["'](?!data:)""", page)


def one_astray(folder):
    make_sections(folder)
    output = run(folder, "in.h5", "out.h5", "--quality")
    with h5py.File(output, "r+") as f:
        for name in ("coords", "offsets", "subpixel", "subpixel_offsets"):
            f[name][50] = f[name][50] + 9  # of the field; 195 agree
    _, _, data = report(folder, "out.h5", "page.html", "--pictures", 0, "--rows", 10)
    assert [row[0] for row in data["rows"] if row[11] & 8] == [50], data["rows"]


def odd_outputs(folder):
    make(folder)
    os.rename(os.path.join(folder, "in.h5"), os.path.join(folder, "away.h5"))
    _, _, data = report(folder, "out.h5")
    assert "Without names and pictures" in data["no_pictures"] and not data["pictures"] and data["ratios"] is None
    _, _, data = report(folder, "out.h5", "page.html", "--input", os.path.join(folder, "away.h5"), "--pictures", 3)
    assert len(data["pictures"]) == 3 and data["no_pictures"] is None
    told = report(folder, "out.h5", "page.html", "--input", os.path.join(folder, "none.h5"), code=3)
    assert "none.h5" in told, told
    told = program("report", os.path.join(folder, "out.h5"), os.path.join(folder, "page.html"), code=4)
    assert "exists already" in told, told
    told = program("report", os.path.join(folder, "out.h5"), os.path.join(folder, "out.h5"), "--overwrite", code=4)
    assert "out.h5" in told, "it wrote over what it reads"
    with open(os.path.join(folder, "other.json"), "w", encoding="utf-8") as file:
        file.write("{}")
    told = report(folder, "out.h5", "page.html", "--run", os.path.join(folder, "other.json"), code=3)
    assert "other.json" in told, told
    report(folder, "away.h5", code=3)


def an_unfinished_one(folder):
    path = os.path.join(folder, "in.h5")
    program("generate", path, "--preset", "tiny", "--images", 400)
    program("run", path, os.path.join(folder, "out.h5"), "--time-limit", "0.05", "--progress", "none", code=75)
    _, _, data = report(folder, "out.h5.part", "page.html", "--pictures", 1)
    assert not data["complete"] and data["pending"] > 0 and data["pairs"] == 2000


def turned(folder):
    make(folder, "--rotate=-2:2:1")
    _, _, data = report(folder, "out.h5")
    with h5py.File(os.path.join(folder, "out.h5")) as f:
        assert [row[12] for row in data["rows"]] == [f["angles"][row[0]] for row in data["rows"]]


def many_rows_make_a_small_page(folder):
    make(folder, "--quality")
    status, peaks = synthetic(os.path.join(folder, "out.h5"), 100000, os.path.join(folder, "many.h5"))
    _, page, data = report(folder, "many.h5", "page.html", "--rows", 200)
    assert len(page) < 200000 and len(data["rows"]) == 200, len(page)
    counts = {s["name"]: s["n"] for s in data["status"]}
    assert counts["ok"] == (status == 1).sum() and counts["unreadable"] == (status == 4).sum() and counts["flat"] == (status == 2).sum()
    assert sum(data["peaks"]["counts"]) == counts["ok"]
    named = [data["names"][row[5]] for row in data["rows"]]
    assert named.count("unreadable") == 50, "a quarter of the rows at most has no answer"
    assert sum(bool(row[11] & 2) for row in data["rows"]) >= 50 and sum(bool(row[11] & 4) for row in data["rows"]) >= 50
    lowest = np.nanmin(np.where(status == 1, peaks, np.nan))
    assert any(row[8] is not None and abs(row[8] - lowest) < 1e-8 for row in data["rows"]), "the lowest peak is not listed"


def displacements(folder):
    places = make_sections(folder)
    run(folder, "in.h5", "out.h5", "--quality")
    _, _, data = report(folder, "out.h5", "page.html", "--pictures", 0)
    tiles = data["tiles"]
    assert tiles["judged"] and tiles["predicted"] and tiles["n"] == 3 and sum(tiles["counts"]) == 3
    edges = {(e[0], e[1]): e for e in tiles["edges"]}
    assert set(edges) == {(0, 1), (1, 2), (3, 4)}
    for i in (0, 1):
        true = np.subtract(places[i + 1], places[i])
        assert edges[i, i + 1][2] == 2 and edges[i, i + 1][3:5] == [3, 3], edges[i, i + 1]
        assert np.abs(np.array(edges[i, i + 1][5:7]) - true).max() < 0.5, (edges[i, i + 1], true)
        assert np.abs(np.array(edges[i, i + 1][8:10]) - (true - [0, 150])).max() < 0.5
        # tiles lie where they were predicted, each beside the last
        first, second = tiles["nodes"][str(i)], tiles["nodes"][str(i + 1)]
        assert np.allclose(np.subtract(second[3:5], first[3:5]), [0, 150]) and first[2] == second[2]
    assert tiles["nodes"]["3"][2] != tiles["nodes"]["0"][2] and tiles["nodes"]["4"][5:7] == [340, 340]
    (field,) = tiles["fields"]
    assert len(field["points"]) == 196 and field["all"]
    counted = np.array([p for p in field["points"] if p[4]], float)
    assert len(counted) > 150 and np.abs(counted[:, 3] + 2).max() < 0.6, "the columns moved by -2 everywhere"
    left, right = counted[counted[:, 1] < 80, 2].mean(), counted[counted[:, 1] > 250, 2].mean()
    assert left < 0.8 and right > 2.2, f"rows moved by {left} on the left, {right} on the right"


main(one_file_holds_all, displacements, one_astray, odd_outputs, an_unfinished_one, turned, many_rows_make_a_small_page)
