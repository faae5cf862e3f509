#!/usr/bin/env python3
"""A dry run says what the run then does, writes nothing but its report, and refuses what a run would refuse."""
import json
import os
import resource
import shlex

from cases import main
from launch import MPIEXEC, MPIXCORR, h5py, launch, np, on_ranks

def program(*arguments, ranks=1):
    command = on_ranks(ranks) + [MPIXCORR, *arguments]
    return launch(command)


def run(*arguments, ranks=1, code=0):
    """The report of a run, dry or not."""
    done = program("run", *arguments, "--report", "report.json", "--progress", "none", ranks=ranks)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    with open("report.json") as file:
        report = json.load(file)
    os.remove("report.json")
    return report, done.stdout


def make_input(path):
    """Two image shapes, two template shapes, a row without a pair: 3 geometries that fit, 23 pairs."""
    rng = np.random.default_rng(3)
    with h5py.File(path, "w") as file:
        for i in range(4):
            file[f"images/{i}"] = rng.integers(0, 255, (90, 100) if i < 3 else (60, 60), "u1")
        for i in range(6):
            file[f"templates/{i}"] = rng.random((20, 30) if i < 5 else (70, 40)).astype("f4")
        file["pairs"] = [(i, t) for i in range(4) for t in range(6) if (i, t) != (3, 5)] + [(-1, -1)]


def says_what_the_run_does():
    make_input("in.h5")
    for ranks in 1, 3:
        plan, text = run("in.h5", "out.h5", "--dry-run", "--crop", "2,1", ranks=ranks)
        assert sorted(os.listdir()) == ["in.h5"], os.listdir()
        real, _ = run("in.h5", "out.h5", "--crop", "2,1", "--read", "root", ranks=ranks)
        for key in "pairs", "groups", "ranks", "nodes", "threads", "engine", "input":
            assert plan[key] == real[key], (key, plan[key], real[key])
        assert plan["dry_run"] is True and plan["pairs"] == 23 and plan["estimated_s"] > 0
        assert plan["reading"]["root"]["total_bytes"] == plan["bytes_needed"]
        if ranks == 1:
            assert plan["bytes_to_read"] == real["bytes_read"], (plan, real)
        pixels = 3 * 9000 + 3600 + 4 * (5 * 600 + 2800)
        assert plan["bytes_needed"] == pixels, (plan["bytes_needed"], pixels)
        assert len(plan["geometries"]) == 3 and sum(g["pairs"] for g in plan["geometries"]) == 23
        first = next(g for g in plan["geometries"] if g["pairs"] == 15)
        assert first["image"] == [90, 100] and first["template"] == [20, 30] and first["template_dtype"] == "f32"
        assert first["search"] == [1, 2, 108, 127], first
        # Of 109 rows and 129 columns the outer one and two may be spoilt by wrap-around.
        assert 108 <= first["fft"][0] <= 144 and 127 <= first["fft"][1] <= 144, first
        for words in "15 pairs: image 90x100 (u8), template 20x30 (f32), searched 107x125", "lfs setstripe -c 1 -S 1M":
            assert words in text, text
        os.remove("out.h5")


def memory_is_enough():
    """No rank of the real run takes more than was foretold."""
    program("generate", "big.h5", "--preset", "align3d", "--images", "1")
    plan, _ = run("big.h5", "--dry-run", "--crop", "half", "--threads", "1")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    run("big.h5", "out.h5", "--crop", "half", "--threads", "1")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert before * 1024 < peak < plan["memory_bytes_per_rank"] <= plan["memory_bytes"]["limit"], (peak, plan)
    print(f"foretold {plan['memory_bytes_per_rank']}, taken {peak} bytes")


def counts_what_is_left():
    make_input("in.h5")
    run("in.h5", "out.h5", "--overwrite")
    os.rename("out.h5", "out.h5.part")
    with h5py.File("out.h5.part", "r+") as file:
        file["status"][5:15] = 0
        file["run"]["complete"] = 0
    before = open("out.h5.part", "rb").read()
    plan, _ = run("in.h5", "out.h5", "--resume", "--dry-run")
    assert plan["pairs"] == 10, plan
    assert open("out.h5.part", "rb").read() == before and not os.path.exists("out.h5.part.lock")
    plan, _ = run("in.h5", "new.h5", "--resume", "--dry-run")
    assert plan["pairs"] == 23, plan
    done = program("run", "in.h5", "out.h5", "--resume", "--dry-run", "--crop", "half")
    assert done.returncode == 3 and "--crop" in done.stderr, done
    done = program("run", "in.h5", "out.h5", "--dry-run")
    assert done.returncode == 4 and "partial output exists" in done.stderr, done
    plan, _ = run("in.h5", "out.h5", "--overwrite", "--dry-run")
    assert plan["pairs"] == 23 and os.path.exists("out.h5.part")


def refuses_what_a_run_refuses():
    make_input("in.h5")
    for arguments, code, words in ((["in.h5"], 2, "OUTPUT is missing"),
                                   (["no.h5", "--dry-run"], 3, "no.h5"),
                                   (["in.h5", "--dry-run", "--memory", "1MiB"], 3, "--memory"),
                                   (["in.h5", "no/out.h5", "--dry-run"], 4, "no/out.h5"),
                                   (["in.h5", "--dry-run", "--crop", "900,0"], 3, "/pairs row 0")):
        done = program("run", *arguments)
        lines = [line for line in done.stderr.splitlines() if line.startswith("mpixcorr: ")]
        assert done.returncode == code and len(lines) == 1 and words in lines[0], (arguments, done)
    assert os.listdir() == ["in.h5"]


def no_pairs():
    with h5py.File("in.h5", "w") as file:
        file["images"] = np.zeros((1, 20, 20), "u1")
        file["templates"] = np.zeros((1, 6, 6), "u1")
        file["pairs"] = np.zeros((0, 2), "i8")
    plan, _ = run("in.h5", "--dry-run")
    assert plan["pairs"] == 0 and plan["bytes_to_read"] == 0 and plan["estimated_s"] == 0, plan


def suggests_what_works():
    """The line for mpirun is one that starts a run, wherever it may be bound to cores."""
    make_input("in.h5")
    plan, _ = run("in.h5", "--dry-run", "--crop", "half")
    line = shlex.split(plan["launch"]["mpirun"])
    assert line[0] == "mpirun" and "--dry-run" not in line and line[-1] == "OUTPUT", line
    line[0], line[-1] = MPIEXEC, "out.h5"
    line[line.index("mpixcorr")] = MPIXCORR
    done = launch(line)
    if "not support" in done.stderr and "bind" in done.stderr:
        print("processes cannot be bound to cores here: the line was not tried")
        return
    assert done.returncode == 0, done
    assert os.path.exists("out.h5")
    ranks = plan["launch"]["ranks_per_node"] * plan["launch"]["nodes"]
    assert f"{ranks} rank" in done.stdout and "warning" not in done.stdout.replace("warning  image 0", ""), done.stdout


main(says_what_the_run_does, memory_is_enough, counts_what_is_left, refuses_what_a_run_refuses, no_pairs,
     suggests_what_works)
