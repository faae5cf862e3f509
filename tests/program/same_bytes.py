#!/usr/bin/env python3
"""All result datasets are the same bytes on any number of ranks and threads, grouped or not, whoever reads.

same_bytes.py CASE: each case is an input of its own; the measure is one rank on one thread.
"""
import json
import os
import sys
import tempfile

from launch import MPIXCORR, h5py, launch, np, on_ranks

RUNS = [
    (1, ["--threads", "2", "--no-group"]),
    (2, ["--read", "all", "--threads", "2"]),
    (3, ["--read", "root"]),
    (5, ["--no-group"]),
]


def scene(rng, rows, cols):
    """Smooth noise, so that templates are found."""
    coarse = rng.normal(size=(rows // 4 + 2, cols // 4 + 2))
    return np.kron(coarse, np.ones((4, 4)))[:rows, :cols] + 0.1 * rng.normal(size=(rows, cols))


def mixed(file, rng):
    """Shapes and types differ, ids have gaps, some rows hold no pair, every pair has a window."""
    types = ["u1", "<i2", ">u2", "<f4", ">f8", "<f2"]
    images, templates = {}, {}
    for i in range(7):
        rows, cols = 60 + 11 * i, 90 - 7 * i
        images[3 * i + 1] = (40 * scene(rng, rows, cols) + 110).clip(0, 255).astype(types[i % 6])
    for i in range(23):
        templates[2 * i] = (40 * scene(rng, 9 + i % 4, 8 + i % 5) + 110).clip(0, 255).astype(types[i * 5 % 6])
    for id, pixels in images.items():
        file[f"images/{id:03d}"] = pixels
    for id, pixels in templates.items():
        file[f"templates/{id}"] = pixels
    pairs = [(list(images)[rng.integers(7)], list(templates)[rng.integers(23)]) for _ in range(120)]
    for row in (0, 50, 119):
        pairs[row] = (-1, -1)
    file["pairs"] = np.array(pairs, "<i4")
    y, x = rng.integers(0, 10, 120), rng.integers(0, 10, 120)
    file["search"] = np.stack([y, x, y + 40, x + 30], axis=1)


def simple(file, rng, images, templates, pairs, shape=(40, 44), template_shape=(9, 7)):
    file["images"] = np.stack([(30 * scene(rng, *shape) + 120).clip(0, 255).astype("u1") for _ in range(images)])
    file["templates"] = np.stack(
        [(30 * scene(rng, *template_shape) + 120).clip(0, 255).astype("u1") for _ in range(templates)])
    file["pairs"] = np.array(pairs, "i8").reshape(-1, 2)


CASES = {
    "mixed": mixed,
    "zero_pairs": lambda file, rng: simple(file, rng, 2, 2, []),
    "one_pair": lambda file, rng: simple(file, rng, 1, 1, [(0, 0)]),
    "one_image": lambda file, rng: simple(file, rng, 1, 10000, [(0, i) for i in range(10000)], (24, 24), (8, 8)),
    "one_template": lambda file, rng: simple(file, rng, 10000, 1, [(i, 0) for i in range(10000)], (24, 24), (8, 8)),
    "five_each": lambda file, rng: simple(file, rng, 8, 40, [(i // 5, i) for i in range(40)], (200, 260), (70, 90)),
    "ignore": lambda file, rng: simple(file, rng, 8, 40, [(i // 5, i) for i in range(40)], (100, 130), (70, 90)),
}
ALWAYS = {"ignore": ["--outside", "ignore", "--quality"]}


def run(ranks, options, input, output, report):
    command = [*on_ranks(ranks), MPIXCORR, "run", input, output, "--overwrite", "--progress", "none"]
    done = launch(command + ["--report", report] + options)
    if done.returncode != 0:
        sys.exit(f"{ranks} ranks, {options}: exit {done.returncode}: {done.stdout}{done.stderr}")
    with h5py.File(output, "r") as file:
        results = {}
        file.visititems(lambda name, item: results.update({name: item[()].tobytes()}) if hasattr(item, "dtype") and name != "run" else None)
    with open(report) as file:
        return results, json.load(file)


def main():
    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as folder:
        input, output, report = (os.path.join(folder, name) for name in ("in.h5", "out.h5", "report.json"))
        with h5py.File(input, "w") as file:
            CASES[sys.argv[1]](file, rng)
            n_pairs, n_none = len(file["pairs"]), int((file["pairs"][()] == -1).any(axis=1).sum()) if len(file["pairs"]) else 0
        always = ALWAYS.get(sys.argv[1], [])
        expected, _ = run(1, ["--threads", "1", *always], input, output, report)
        assert {"coords", "offsets", "peaks", "overlap", "status", "pairs"} <= set(expected), sorted(expected)
        assert len(expected["peaks"]) == 8 * n_pairs
        for ranks, options in RUNS:
            found, told = run(ranks, options + always, input, output, report)
            for name in expected:
                if found.get(name) != expected[name]:
                    sys.exit(f"{ranks} ranks, {options}: /{name} differs")
            assert set(found) == set(expected), sorted(found)
            assert told["ranks"] == ranks and told["pairs"] == n_pairs - n_none, told
            assert told["counters"]["pairs"] == n_pairs - n_none, told["counters"]
            assert sum(told["status"].values()) == n_pairs - n_none, told["status"]
            assert told["elapsed_s"] > 0 and os.listdir(folder) and not os.path.exists(output + ".part")
            for name, seconds in told["seconds"].items():
                assert 0 <= seconds["min"] <= seconds["mean"] * 1.0001 + 1e-9, (name, seconds)
                assert seconds["mean"] <= seconds["max"] * 1.0001 + 1e-9, (name, seconds)


if __name__ == "__main__":
    main()
