#!/usr/bin/env python3
"""What it costs to have results on the disk every few seconds: runs with checkpoints, without any until the end, and with
ten times as many, by turns: bench/checkpoint.py INPUT [ROUNDS [RANKS]]

INPUT is best an input that takes some 20 s, as `mpixcorr generate INPUT --preset stitch2d --images 800`; the output goes
beside it. Prints of each run its elapsed and processor seconds, and for how many of them the thread that writes was at
work; then by how much they differ within a round. A busy machine differs by more than checkpoints cost: the thread's
seconds bound that.
"""
import json
import os
import resource
import statistics
import subprocess
import sys

INPUT = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
RANKS = int(sys.argv[3]) if len(sys.argv) > 3 else 1
MPIXCORR = os.environ.get("MPIXCORR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../build/mpixcorr"))
KINDS = {"without": "1e6", "every 5 s": "5", "every 0.5 s": "0.5"}  # MPIXCORR_SYNC_S


def run(sync_s):
    """Elapsed seconds by the run's report, processor seconds of all its processes, and the report's checkpoints."""
    launcher = ["mpirun", "-n", str(RANKS)] if RANKS > 1 else []
    output, report = f"{INPUT}.checkpoint.h5", f"{INPUT}.checkpoint.json"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*launcher, MPIXCORR, "run", INPUT, output, "--overwrite", "--progress", "none", "--report", report,
                    "--threads", str(max(1, (os.cpu_count() or 1) // RANKS))], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "MPIXCORR_SYNC_S": sync_s})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(report, encoding="utf-8") as file:
        told = json.load(file)
    for name in (output, report):
        os.remove(name)
    processors = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return told["elapsed_s"], processors, told["checkpoints"]


def main():
    found = {kind: [] for kind in KINDS}
    for turn in range(ROUNDS):
        for kind in list(KINDS)[::1 if turn % 2 else -1]:
            found[kind].append(run(KINDS[kind]))
            elapsed, processors, checkpoints = found[kind][-1]
            print(f"{kind:12} {elapsed:.3f} s elapsed, {processors:.3f} s of processors; {checkpoints['count']} checkpoints "
                  f"in {checkpoints['elapsed_s']:.4f} s: {100 * checkpoints['elapsed_s'] / elapsed:.3f} %", flush=True)
    for kind in list(KINDS)[1:]:
        for column, what in enumerate(("elapsed", "processors")):
            ratios = [100 * (on[column] / off[column] - 1) for on, off in zip(found[kind], found["without"])]
            print(f"{kind}: {statistics.median(ratios):+.2f} % {what} ({' '.join(f'{ratio:+.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
