#!/usr/bin/env python3
"""Skewed input (one image with 5,000 templates, 500 with one) keeps ranks equally busy: how far apart the processor
seconds of their computing lie, on 2 and on 4 ranks. Images of 640x640, templates of 192x192, so that rank 0's reading and
answering, which take from its core, weigh little. A rank that the machine holds up rightly does less: run it on an idle
machine, or with priority (nice -n -20). Usage: MPIXCORR=build/mpixcorr MPIEXEC=mpirun bench/balance.py"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

MPIXCORR, MPIEXEC = os.environ["MPIXCORR"], os.environ["MPIEXEC"]
CORES = sorted(os.sched_getaffinity(0))[:2]
RUNS = 5

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    rng = np.random.default_rng(5)
    with h5py.File("in.h5", "w") as file:
        file["images"] = rng.integers(0, 255, (501, 640, 640), "u1")
        file["templates"] = rng.integers(0, 255, (50, 192, 192), "u1")
        single = [(i, i % 50) for i in range(500)]
        file["pairs"] = np.array(single + [(500, i % 50) for i in range(5000)])
    for ranks in 2, 4:
        runs = []
        for _ in range(RUNS):
            command = [MPIEXEC]
            for rank in range(ranks):  # each core gets as many ranks
                command += [":"] * (rank > 0) + ["-n", "1", "taskset", "-c", str(CORES[rank * len(CORES) // ranks])]
                command += [MPIXCORR, "run", "in.h5", "out.h5", "--overwrite", "--threads", "1", "--report", "r.json",
                            "--progress", "none"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
            with open("r.json") as file:
                report = json.load(file)
            cpu = report["cpu_seconds"]["computing"]
            runs.append(((cpu["max"] - cpu["min"]) / cpu["mean"], cpu["min"], cpu["max"], report["handouts"]))
        spread, least, most, handouts = sorted(runs)[RUNS // 2]
        print(f"{ranks} ranks: {least:.3f} to {most:.3f} s of processor each, {100 * spread:.1f} % apart, "
              f"{handouts} hand-outs; the median of {RUNS} runs, which lay "
              f"{', '.join(f'{100 * run[0]:.1f}' for run in sorted(runs))} % apart")
