#!/usr/bin/env python3
"""Two threads of a rank, and two ranks of a thread, beside what two independent processes do at the same moment.

Each of the two processes has half of the pairs and a core of its own; the rank of two threads and the two ranks have all of them
and the same two cores. Rates are by `elapsed_s` of the reports, from MPI_Init to MPI_Finalize. The three take turns, in
another order each time; what counts is the median of the ratios, each within one turn. On a machine with nothing else on it.
Usage: MPIXCORR=build/mpixcorr MPIEXEC=mpirun bench/threads.py [options]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import h5py
import numpy as np

MPIXCORR, MPIEXEC = os.environ["MPIXCORR"], os.environ["MPIEXEC"]
CORES = [str(core) for core in sorted(os.sched_getaffinity(0))[:2]]
#: What is generated, and options of the run.
PRESETS = {"stitch2d": (["--images", "240"], []), "align3d": (["--images", "24"], ["--crop", "half"]),
           "sweep": (["--images", "6", "--templates", "21"], ["--crop", "half"])}
SMALL = "10,000 pairs of 104/64"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--only", action="append", choices=[*PRESETS, "small"], help="only this workload; may be repeated")
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--json", type=pathlib.Path)
args = parser.parse_args()


def small_input(path):
    """Images of 104 x 104 of a noisy picture, each with a template of 64 x 64 of its own."""
    random = np.random.default_rng(1)
    picture = np.kron(random.normal(size=(300, 300)), np.ones((5, 5))) + 0.3 * random.normal(size=(1500, 1500))
    picture = (128 + 40 * picture).clip(0, 255).astype(np.uint8)
    n = 10_000
    corners = random.integers(0, 1500 - 104, (n, 2))
    images = np.stack([picture[y : y + 104, x : x + 104] for y, x in corners])
    inside = random.integers(0, 41, (n, 2))
    templates = np.stack([image[y : y + 64, x : x + 64] for image, (y, x) in zip(images, inside)])
    with h5py.File(path, "w") as file:
        file["images"], file["templates"] = images, templates
        file["pairs"] = np.repeat(np.arange(n), 2).reshape(n, 2)


def halves(path):
    """Two inputs with half of the pairs each, whose pixels are those of a third; whole images go to one of them."""
    with h5py.File(path) as file:
        pairs, names = file["pairs"][:], [name for name in ("images", "templates") if name in file]
    middle = np.unique(pairs[:, 0])[len(np.unique(pairs[:, 0])) // 2]
    made = []
    for k, part in enumerate((pairs[pairs[:, 0] < middle], pairs[pairs[:, 0] >= middle])):
        made.append(path.with_name(f"{path.stem}-{k}.h5"))
        with h5py.File(made[-1], "w") as file:
            for name in names:
                file[name] = h5py.ExternalLink(path.name, f"/{name}")
            file["pairs"] = part
    return made


def pairs_per_s(jobs):
    """Runs (launcher words, input, options) at once; the sum of their rates."""
    running = []
    for k, (launcher, path, options) in enumerate(jobs):
        report = path.with_name(f"report-{k}.json")
        words = ["run", path, path.with_name(f"out-{k}.h5"), "--overwrite", "--progress", "none", "--report", report, *options]
        command = []
        for core in launcher:
            command += ([":"] if command else [MPIEXEC, "--bind-to", "none"]) + ["-n", "1", "taskset", "-c", core, MPIXCORR, *words]
        running.append((subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL), report))
    if any([process.wait() for process, _ in running]):
        sys.exit("threads.py: a run failed")
    reports = [json.loads(report.read_text()) for _, report in running]
    return sum(report["pairs"] / report["elapsed_s"] for report in reports)


def measure(path, options):
    """Ratios of each alternation: of two threads, of two ranks."""
    one, two = [*options, "--threads", "1"], [*options, "--threads", "2"]
    parts = halves(path)
    ways = {"processes": [([core], part, one) for core, part in zip(CORES, parts)],
            "threads": [([",".join(CORES)], path, two)], "ranks": [(CORES, path, one)]}
    rates = {name: [] for name in ways}
    for turn in range(-1, args.rounds):  # the first brings files and plans into their caches
        names = list(ways)
        for name in names[turn % 3 :] + names[: turn % 3]:
            rate = pairs_per_s(ways[name])
            if turn >= 0:
                rates[name].append(rate)
    return rates


def main():
    if len(CORES) < 2:
        sys.exit("threads.py: found one core, expected two")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only or [*PRESETS, "small"]:
            path = pathlib.Path(folder) / f"{name}.h5"
            if name == "small":
                small_input(path)
                options = ["--min-overlap", "1"]
            else:
                subprocess.run([MPIXCORR, "generate", path, "--preset", name, *PRESETS[name][0]], check=True,
                               stdout=subprocess.DEVNULL)
                options = PRESETS[name][1]
            rates = found[name] = measure(path, options)
            for file in pathlib.Path(folder).glob("*.h5"):
                file.unlink()
            title = SMALL if name == "small" else name
            for way in ("threads", "ranks"):
                ratios = sorted(100 * a / b for a, b in zip(rates[way], rates["processes"]))
                print(f"{title}: two {way} {statistics.median(rates[way]):.1f} pairs/s, two processes "
                      f"{statistics.median(rates['processes']):.1f}: {statistics.median(ratios):.1f} % (median; "
                      f"{ratios[0]:.1f} to {ratios[-1]:.1f})", flush=True)
            if args.json:
                args.json.write_text(json.dumps({"cores": CORES, "load": os.getloadavg(), "pairs_per_s": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
