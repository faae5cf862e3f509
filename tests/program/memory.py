#!/usr/bin/env python3
"""`--memory` bounds what every rank takes, tables included; what cannot fit is refused before it is read, in one line.

memory.py [MILLIONS]   of boxes, in the cases that are measured (1)
"""
import os
import subprocess
import sys

EXIT_RESUMABLE = 75

if sys.argv[1:2] == ["peak"]:  # a rank: runs the command, and writes its peak in KiB and its exit code
    child = subprocess.Popen(sys.argv[3:])
    _, status, usage = os.wait4(child.pid, 0)
    with open(f"{sys.argv[2]}.{os.environ.get('OMPI_COMM_WORLD_RANK') or os.environ.get('PMI_RANK') or 0}", "w") as file:
        file.write(f"{usage.ru_maxrss} {(code := os.waitstatus_to_exitcode(status))}")
    sys.exit(code if code != EXIT_RESUMABLE else 0)  # else the launcher kills the ranks that have not written theirs yet

from cases import main
from launch import MPIXCORR, h5py, launch, np, on_ranks

import json

BOXES = int(1e6 * float(sys.argv[1] if len(sys.argv) > 1 else 1))
MIB = 1 << 20


def boxes_input(path, n):
    """Boxes of 8x8 all over three images of 64x64, a pair each."""
    row = np.arange(n)
    with h5py.File(path, "w") as file:
        file["images"] = np.random.default_rng(1).integers(0, 255, (3, 64, 64), "u1")
        file["templates"] = np.stack([row % 3, row % 57, row // 57 % 57, 0 * row + 8, 0 * row + 8], 1).astype("i4")
        file["pairs"] = np.stack([row % 3, row], 1).astype("i4")


def run(*arguments, ranks=1, code=0, **env):
    """The run's words and errors, and the peak of every rank in MiB."""
    for name in os.listdir("."):
        if name.startswith("peak."):
            os.remove(name)
    launcher = on_ranks(ranks)
    done = launch([*launcher, sys.executable, os.path.abspath(__file__), "peak", "peak", MPIXCORR, "run",
                   *arguments, "--progress", "none", "--threads", "1"], env={**os.environ, **env})
    assert done.returncode == (code if code != EXIT_RESUMABLE else 0), (arguments, done.returncode, done.stdout, done.stderr)
    errors = [line for line in done.stderr.splitlines() if line.startswith("mpixcorr: ")]
    files = [f"peak.{rank}" for rank in range(ranks)]  # a launcher may have killed who should have written one
    assert code == 3 or all(map(os.path.exists, files)), files
    found = [tuple(map(int, open(name).read().split())) for name in files if os.path.exists(name)]
    assert all(own == code for _, own in found), (arguments, found)
    return done.stdout, errors, [peak / 1024 for peak, _ in found]


def plan(*arguments, ranks=1):
    run(*arguments, "--dry-run", "--report", "plan.json", ranks=ranks)
    with open("plan.json") as file:
        return json.load(file)


def refused(*arguments, ranks=1, words=(), **env):
    _, errors, peaks = run(*arguments, ranks=ranks, code=3, **env)
    assert len(errors) == 1 and all(word in errors[0] for word in words), errors
    assert not os.path.exists("out.h5.part")
    return errors[0], peaks


def every_rank_keeps_to_it():
    """What is told beforehand is enough, by little, and never exceeded; a little less is refused, before it is taken."""
    boxes_input("in.h5", BOXES)
    for ranks in (1, 2):
        foretold = plan("in.h5", "out.h5", ranks=ranks)["memory_bytes"]
        needed = foretold["program"] + foretold["matcher"] + foretold["tables"] + foretold["rank_0_tables"]
        assert foretold["tables"] >= 20 * BOXES and foretold["rank_0_tables"] >= 36 * BOXES, foretold
        memory = needed // MIB + 2
        _, _, peaks = run("in.h5", "out.h5", "--overwrite", "--time-limit", "2", "--memory", f"{memory}MiB", ranks=ranks,
                          code=EXIT_RESUMABLE)
        print(f"{ranks} ranks, {BOXES} boxes, --memory {memory}MiB: took {', '.join(f'{p:.0f}' for p in peaks)} MiB")
        assert max(peaks) < memory and max(peaks) > foretold["rank_0_tables"] / MIB, (peaks, foretold)
        _, _, again = run("in.h5", "out.h5", "--resume", "--time-limit", "2", "--memory", f"{memory}MiB", ranks=ranks,
                          code=EXIT_RESUMABLE)
        assert max(again) < memory, (again, memory)
        os.remove("out.h5.part")
        refused("in.h5", "out.h5", "--memory", f"{needed // MIB - 2}MiB", ranks=ranks, words=("--memory",))
        memory = 192 + 30 * BOXES // MIB
        _, peaks = refused("in.h5", "out.h5", "--memory", f"{memory}MiB", ranks=ranks,
                           words=(f"{BOXES} pairs", "of tables on rank 0", "--memory"))
        assert max(peaks, default=0) < memory, (peaks, memory)


def a_larger_pair_among_many_shapes():
    """The last of 400 shapes is the one that does not fit."""
    with h5py.File("in.h5", "w") as file:
        for i in range(400):
            file[f"images/{i}"] = np.zeros((40 + i % 20, 40 + i // 20), "u1")
        file.create_dataset("images/400", (6000, 6000), "u1", chunks=(100, 6000))
        file["templates"] = np.zeros((1, 8, 8), "u1")
        file["pairs"] = [(i, 0) for i in range(401)]
    refused("in.h5", "out.h5", "--memory", "400MiB", words=("images of 6000x6000", "the limit is 400.00 MiB (--memory)"))
    refused("in.h5", "--dry-run", "--memory", "400MiB", words=("images of 6000x6000",))


def a_node_is_shared_but_for_the_tables_of_rank_0():
    boxes_input("in.h5", 200000)
    tables = plan("in.h5", ranks=4)["memory_bytes"]
    text, _, _ = run("in.h5", "--dry-run", ranks=4, SLURM_MEM_PER_NODE="1600")
    limit = 400 - tables["rank_0_tables"] / 4 / MIB
    assert f"the limit is {limit:.2f} MiB" in text, (limit, text)
    refused("in.h5", "--dry-run", ranks=4, words=("the limit is",), SLURM_MEM_PER_NODE="800")


def a_small_trial_reads_large_tables():
    """The child that opens the input first may have its tables, beside the bound for all else."""
    row = np.arange(1500000)
    with h5py.File("in.h5", "w") as file:
        file["images"] = np.zeros((1, 20, 20), "u1")
        file["templates"] = np.zeros((1, 8, 8), "u1")
        file.create_dataset("pairs", data=np.stack([0 * row, 0 * row], 1), chunks=(10000, 2), compression=1)
        file.create_dataset("search", data=np.stack([row % 9, 0 * row, row % 9 + 9, 0 * row + 9], 1), chunks=(10000, 4),
                            compression=1)
    text, errors, _ = run("in.h5", "--dry-run", MPIXCORR_PROBE_MIB="40")
    assert "1500000 pairs" in text and not errors, (text, errors)


def tables_that_no_machine_has():
    """A file that speaks of 10^11 pairs: neither damage nor a crash, but too much."""
    with h5py.File("in.h5", "w") as file:
        file["images"] = np.zeros((1, 20, 20), "u1")
        file["templates"] = np.zeros((1, 8, 8), "u1")
        file.create_dataset("pairs", (10**11, 2), "i4", chunks=(4096, 2))
    words, _ = refused("in.h5", "out.h5", words=("100000000000 pairs", "TiB of tables on rank 0"))
    assert "0.0" not in words


if __name__ == "__main__":
    main(every_rank_keeps_to_it, a_larger_pair_among_many_shapes, a_node_is_shared_but_for_the_tables_of_rank_0,
         a_small_trial_reads_large_tables, tables_that_no_machine_has)
