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


for recipe in (match_or_chance,):
    with tempfile.TemporaryDirectory() as place:
        recipe(place)
    print(f"{recipe.__name__}: passed")
