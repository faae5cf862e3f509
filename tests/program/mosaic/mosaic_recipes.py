#!/usr/bin/env python3
"""The recipes of docs/mosaic.md run as they stand there, on samples of what they read, and `mosaic` takes what they write."""
import csv
import json
import os
import re
import subprocess
import sys

from mosaic_common import main, program

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs/mosaic.md")
PLACES = [(0, 0), (500, 5), (-4, 310), (498, 314)]  # x, y


def recipe(word):
    """The block of code behind the paragraph that begins with a word."""
    with open(PAGE, encoding="utf-8") as page:
        found = re.search(rf"^{word}.*?```python\n(.*?)```", page.read(), re.S | re.M)
    assert found, word
    return found[1]


def cook(folder, word):
    """Runs a recipe; answers what it wrote and what `mosaic` says of it."""
    done = subprocess.run([sys.executable, "-c", recipe(word)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    stage = os.path.join(folder, "stage.csv")
    with open(stage, newline="") as file:
        rows = list(csv.DictReader(file))
    said = program("mosaic", stage, os.path.join(folder, "tiles.h5"), "--shape", "400,600")
    assert "4 images (table)" in said and "on 4 edges" in said, said
    return rows


def write(folder, name, text):
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def places(rows):
    return [(float(row["x"]), float(row["y"])) for row in rows]


def maps(folder):
    for row in (1, 2):
        for col in (1, 2):
            write(folder, f"s1/Tile_{row:03}-{col:03}-000000_0-000.tif", "")
    done = recipe("MAPS").replace("4096, 6144, 0.10", "400, 600, 0.20")
    subprocess.run([sys.executable, "-c", done], cwd=folder, check=True)
    said = program("mosaic", os.path.join(folder, "stage.csv"), os.path.join(folder, "tiles.h5"), "--shape", "400,600")
    assert "4 images (table)" in said and "on 4 edges" in said, said


def serialem(folder):
    entries = "".join(f"[ZValue = {z}]\nPieceCoordinates = {x} {y} 0\nMinMaxMean = 1 2 3\n\n" for z, (x, y) in enumerate(PLACES))
    write(folder, "montage.mrc.mdoc", "PixelSpacing = 20\nImageFile = montage.mrc\n\n[T = SerialEM]\n\n" + entries)
    rows = cook(folder, "SerialEM")
    assert places(rows) == PLACES and rows[3]["file"] == "montage.mrc[3]" and rows[3]["section"] == "0", rows


def trakem2(folder):
    patches = "".join(f'<t2_patch oid="{9 + i}" width="300.0" height="200.0" transform="matrix(1.0,0.0,0.0,1.0,{x}.0,{y}.0)" '
                      f'title="t" file_path="tiles/t{i}.tif" type="0"/>' for i, (x, y) in enumerate(PLACES))
    write(folder, "project.xml", '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE trakem2 [ <!ELEMENT trakem2 ANY> ]>\n'
          f'<trakem2><t2_layer_set><t2_layer oid="3" thickness="1.0" z="7.0">{patches}</t2_layer></t2_layer_set></trakem2>')
    rows = cook(folder, "TrakEM2")
    assert places(rows) == PLACES and rows[0]["section"] == "7.0" and rows[2]["id"] == "11", rows


def render(folder):
    specs = [{"tileId": f"tile {i}", "z": 5.0, "width": 300, "height": 200,
              "layout": {"sectionId": "5.0", "stageX": x, "stageY": y},
              "mipmapLevels": {"0": {"imageUrl": f"file:/data/a%20b/t{i}.tif"}}} for i, (x, y) in enumerate(PLACES)]
    write(folder, "tiles.json", json.dumps(specs))
    rows = cook(folder, "Render")
    assert places(rows) == PLACES and rows[1]["file"] == "/data/a b/t1.tif" and rows[1]["id"] == "tile 1", rows


main(maps, serialem, trakem2, render)
