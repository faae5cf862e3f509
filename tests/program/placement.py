#!/usr/bin/env python3
"""The header and the report say where ranks are bound, and warn of two ranks on one core and of idle cores."""
import json
import os
import subprocess
import sys
import tempfile

from launch import MPIEXEC, MPIXCORR, launch, skip

CORES = sorted(os.sched_getaffinity(0))
if len(CORES) < 2:
    skip("there is one core only")


def plan(ranks, *bound, threads=None):
    """Header, warnings and report of a dry run whose rank r is bound to core bound[r], or to any."""
    pieces = []
    for rank in range(ranks):
        core = ["taskset", "-c", str(bound[rank])] if bound else []
        options = ["--threads", str(threads)] if threads else []
        pieces += [":"] * (rank > 0) + ["-n", "1", *core, MPIXCORR, "run", "in.h5", "--dry-run", "--report", "r.json",
                                        *options]
    done = launch([MPIEXEC, *pieces])
    assert done.returncode == 0, done
    with open("r.json") as file:
        report = json.load(file)
    lines = done.stdout.splitlines()
    return [line for line in lines if line.startswith("nodes")], report


def check(condition, *found):
    if not condition:
        print("FAILED", *found)
        sys.exit(1)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    subprocess.run([MPIXCORR, "generate", "in.h5", "--preset", "tiny", "--images", "1"], check=True,
                   stdout=subprocess.DEVNULL)
    a, b = CORES[:2]
    words, report = plan(2, a, b)
    nodes = report["placement"]
    check(len(words) == 1 and f"ranks 0-1, bound to cores {a} | {b}" in words[0], words)
    check(len(nodes) == 1 and nodes[0]["hosts"][0]["ranks"] == "0-1", nodes)
    check([rank["cores"] for rank in nodes[0]["ranks"]] == [str(a), str(b)], nodes)
    check([rank["threads"] for rank in nodes[0]["ranks"]] == [1, 1], nodes)
    check(not any("more than cores" in w for w in report["warnings"]), report["warnings"])

    words, report = plan(2, b, b)
    check(f"ranks 0-1, bound to cores {b}" in words[0], words)
    crowded = [w for w in report["warnings"] if "more than cores" in w]
    check(len(crowded) == 1 and f"(core {b} of" in crowded[0], report["warnings"])

    words, report = plan(1, a)
    idle = [w for w in report["warnings"] if "idle" in w]
    check(len(idle) == 1 and "--bind-to none" in idle[0] and (len(CORES) > 2 or f"(core {b} of" in idle[0]), report)
    check(report["threads"]["total"] == 1, report)

    words, report = plan(3)
    check(sum(rank["threads"] for rank in report["placement"][0]["ranks"]) == max(3, len(CORES)), report)
    check(any("more than cores" in w for w in report["warnings"]) == (len(CORES) < 3), report["warnings"])

    words, report = plan(1, threads=1)  # meant so
    check(not any("idle" in w for w in report["warnings"]), report["warnings"])
    print("passed")
