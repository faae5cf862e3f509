#!/usr/bin/env python3
"""Every command of docs/recipes.md runs as it stands there, on small tiles of which it is known what belongs together."""
import os
import re
import subprocess
import sys
import tempfile

from launch import MPIXCORR, PATIENCE_S, h5py, np

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/recipes.md")


def blocks(heading):
    """(language, code) of a section, in its order."""
    with open(PAGE, encoding="utf-8") as page:
        section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page.read(), re.S | re.M)
    found = re.findall(r"```(sh|python)\n(.*?)```", section[1] if section else "", re.S)
    assert found, f"no code in '{heading}'"
    return found


def cook(folder, heading):
    """Runs a section. Answers what each block printed."""
    said = []
    path = os.path.dirname(MPIXCORR) + os.pathsep + os.environ["PATH"]
    for language, code in blocks(heading):
        how = ["bash", "-e", "-o", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
        done = subprocess.run([*how, code], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S, env={**os.environ, "PATH": path})
        pictures = "draws no pictures" in done.stderr  # a build without cairo
        assert done.returncode == 0 or pictures, f"{code}: exit {done.returncode}: {done.stderr}"
        said.append(done.stdout)
    return said


def match_or_chance(folder):
    """Tiles of one scene; half of the pairs are right."""
    random = np.random.default_rng(8)
    fine, coarse = random.normal(size=(6, 150, 150)), random.normal(size=(6, 19, 19))
    scenes = 120 + 12 * fine + 25 * np.kron(coarse, np.ones((8, 8)))[:, :150, :150]
    images = (scenes + 4 * random.normal(size=scenes.shape)).clip(0, 255).astype("u1")
    again = (scenes + 4 * random.normal(size=scenes.shape)).clip(0, 255).astype("u1")
    pairs = [(i, i) for i in range(6)] + [(i, (i + 1 + i % 4) % 6) for i in range(6)]
    with h5py.File(os.path.join(folder, "tiles.h5"), "w") as file:
        file["images"], file["templates"], file["pairs"] = images, again[:, 40:100, 30:90], pairs
    said = cook(folder, "How to tell a match from a chance")
    assert "the best 5 of each pair" in said[0] and "ok" in said[0], said[0]
    assert said[1].strip() == "6 of 12 are doubtful: rows [6, 7, 8, 9, 10, 11]", said[1]
    assert "6 of 6 pairs with a peak below 0.4" in said[2] or not said[2], said[2]


def raw_tiles(folder):
    """Tiles of one scene with black frames, one with a white corner; boxes of the overlaps lie where they should."""
    random = np.random.default_rng(9)
    scene = 120 + 25 * np.kron(random.normal(size=(60, 60)), np.ones((6, 6))) + 8 * random.normal(size=(360, 360))
    corners = [(0, 0), (4, 130), (126, 3), (131, 128)]
    tiles = np.stack([scene[y : y + 220, x : x + 220] + 4 * random.normal(size=(220, 220)) for y, x in corners])
    tiles = tiles.clip(1, 254).astype("u1")
    tiles[:, :30], tiles[:, -30:], tiles[:, :, :30], tiles[:, :, -30:] = 0, 0, 0, 0
    tiles[1, :60, :60] = 255
    boxes = [(1, 60, 10, 100, 50), (2, 10, 60, 50, 100), (3, 60, 10, 100, 50), (3, 10, 60, 50, 100), (1, 5, 10, 50, 45)]
    pairs = [(0, 0), (0, 1), (2, 2), (1, 3), (0, 4)]
    with h5py.File(os.path.join(folder, "tiles.h5"), "w") as file:
        file["images"], file["templates"], file["pairs"] = tiles, boxes, pairs
    said = cook(folder, "Raw tiles, black frames and damage")
    assert "masked" in said[2], said[2]
    for name in ("masked.h5", "filtered.h5"):
        with h5py.File(os.path.join(folder, name)) as file:
            for row, (image, template) in enumerate(pairs[:4]):
                expected = np.array(corners[boxes[template][0]]) - corners[image] + boxes[template][1:3]
                assert list(file["offsets"][row]) == list(expected), (name, row, file["offsets"][row], expected)
            assert list(file["status"]) == [1, 1, 1, 1, 7], (name, file["status"][:])


def turned_sections(folder):
    """Templates whose angles are known."""
    path = os.path.join(folder, "sections.h5")
    subprocess.run([MPIXCORR, "generate", path, "--preset", "tiny", "--images", "1", "--templates", "11", "--turn", "5"],
                   check=True, stdout=subprocess.DEVNULL)
    said = cook(folder, "Sections that are turned by a few degrees")
    assert "rotate   each template by 25 angles, -6:6:0.5 degrees" in said[0] and "ok" in said[0], said[0]
    with h5py.File(os.path.join(folder, "peaks.h5")) as file:
        assert abs(file["angles"][:] - np.arange(-5, 6)).max() <= 2, file["angles"][:]


for recipe in (match_or_chance, raw_tiles, turned_sections):
    with tempfile.TemporaryDirectory() as place:
        recipe(place)
    print(f"{recipe.__name__}: passed")
