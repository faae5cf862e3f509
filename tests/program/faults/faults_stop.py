#!/usr/bin/env python3
"""A run that is stopped, by signals, limits or a rank that hangs, is resumed to the undisturbed bytes.

faults_stop.py CASE
"""
import os
import shutil
import signal
import time

import h5py
import numpy as np

from faults_common import (PROMPT, Running, at_gate, count_calls, crawl, main, make_gate, make_input, part_is_whole,
                           pending, reference, open_gate, resumes_to, run, says_how_to_resume, small_input, tables,
                           transforms_per_pair)


def interrupted(n):
    """A run on 3 ranks that was stopped in its middle."""
    run_ = Running(ranks=3, shim=crawl(), env=PROMPT)
    run_.wait_for_rows()
    run_.process.send_signal(signal.SIGUSR1)
    done = run_.end()
    assert done.code == 75 and 0 < pending() < n, done.words
    return done


def resume_anywhere():
    """On any number of ranks, by any reader, grouped or not; a moved input only warns; complete: nothing to do."""
    n = make_input()
    expected = reference()
    for ranks, options in ((1, []), (2, ["--read", "all"]), (5, ["--no-group"]), (3, ["--threads", "2"])):
        interrupted(n)
        part_is_whole(n)
        resumes_to(expected, *options, ranks=ranks)
        before = os.stat("out.h5").st_mtime_ns
        done = run("--resume", ranks=2)
        assert done.code == 0 and os.stat("out.h5").st_mtime_ns == before, done.words
        os.remove("out.h5")
    resumes_to(expected)  # there was nothing to resume
    os.remove("out.h5")
    interrupted(n)
    os.rename("in.h5", "moved.h5")
    done = run("--resume", input="moved.h5")
    assert done.code == 0 and "warning" in done.err and "moved.h5" in done.err and not done.errors, done.words
    assert tables() == expected


def resume_refused():
    """With a reason, and without touching the part."""
    n = make_input(images=8)
    interrupted(n)
    with open("out.h5.part", "rb") as file:
        part = file.read()

    def refused(*options, code, words, **how):
        done = run(*options, **how)
        assert done.code == code and len(done.errors) == 1, done.words
        assert all(word in done.errors[0] for word in words), (words, done.errors)
        with open("out.h5.part", "rb") as file:
            assert file.read() == part, "the part was touched"

    refused(code=4, words=["out.h5.part", "--resume"])
    refused("--resume", "--overwrite", code=2, words=["--resume", "--overwrite"])
    refused("--resume", "--crop", "1,1", code=3, words=["options that may change results", "--crop=1,1"])
    for option in ("--quality", "--normalize", "--min-overlap=0.5", "--eps=0.001", "--outside=ignore", "--peaks=2",
                   "--separation=9"):
        refused("--resume", option, code=3, words=["options that may change results", option])
    make_input("other.h5", images=8, seed=2)
    refused("--resume", input="other.h5", code=3, words=["fingerprint"])
    shutil.copy("in.h5", "pairs.h5")
    with h5py.File("pairs.h5", "r+") as file:
        file["pairs"][3] = [7, 1]
    refused("--resume", input="pairs.h5", code=3, words=["out.h5.part", "cannot be resumed"])
    with open("out.h5.part", "r+b") as file:
        file.write(b"no HDF5 file")
    done = run("--resume")
    assert done.code == 3 and len(done.errors) == 1 and "out.h5.part" in done.errors[0], done.words


def rows_reach_the_disk():
    """By themselves, while the run goes on: what is lost by a kill is what came after."""
    n = make_input()
    expected = reference()
    run_ = Running(ranks=2, shim=crawl())
    run_.wait_for_rows()
    done_before = n - pending()
    run_.kill()
    part_is_whole(n)
    assert 0 < done_before <= n - pending()
    resumes_to(expected)


def stops_by(number, rank=None, may_return=(75,)):
    n = make_input()
    expected = reference()
    run_ = Running(ranks=3, shim=crawl(), env=PROMPT)
    run_.wait_for_rows()
    started = time.monotonic()
    if rank is None:
        run_.process.send_signal(number)
    else:
        os.kill(run_.ranks()[rank], number)
    done = run_.end()
    elapsed = time.monotonic() - started
    run_.wait_for_end_of_ranks()
    assert done.code in may_return, f"{elapsed:.1f} s: {done.words}"
    says_how_to_resume(done)
    assert not done.errors, done.words
    part_is_whole(n)
    assert 0 < pending() < n, "stopped before or after everything"
    print(f"{number.name} to {'mpirun' if rank is None else f'rank {rank}'}: exit {done.code} after {elapsed:.2f} s, "
          f"{n - pending()} of {n} done")
    resumes_to(expected, ranks=2)
    os.remove("out.h5")


def signals_mpirun():
    stops_by(signal.SIGUSR1)
    stops_by(signal.SIGUSR2)


def signals_mpirun_ends():
    """mpirun returns 1 whatever the ranks do, and kills them after 2 s: they must be quicker."""
    stops_by(signal.SIGTERM, may_return=(1, 75, 130, 143))
    stops_by(signal.SIGINT, may_return=(1, 75, 130, 143))


def signals_one_rank():
    numbers = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU]
    for i, number in enumerate(numbers):
        stops_by(number, rank=i % 3)


def told_at_once():
    """A signal to one rank: what was computed is on the disk as soon as it comes, though all ranks are at their pairs,
    for a launcher may kill them; and all ranks stop, none goes on with the dozens of pairs that it holds."""
    n = make_input(templates=20)
    expected = reference()
    make_gate()
    pairs_before, per_pair = 60, transforms_per_pair()
    run_ = Running(ranks=3, env={"MPIXCORR_SYNC_S": "1e6"},
                   shim={"call": "transform", "at": int(pairs_before * per_pair), "action": "wait", "gate": "gate",
                         "count": "transforms"})
    run_.wait_until(lambda: all(at_gate(rank) for rank in range(3)), "three ranks that wait")
    assert pending() == n, "rows were written before anyone asked for them"
    os.kill(run_.ranks()[1], signal.SIGUSR1)
    run_.wait_until(lambda: pending() < n, "rows at a signal", within_s=30)
    open_gate()
    done = run_.end()
    assert done.code == 75, done.words
    says_how_to_resume(done)
    part_is_whole(n)
    more = (os.path.getsize("transforms") - 3 * int(pairs_before * per_pair)) / per_pair
    print(f"{more:.1f} pairs more were computed by all ranks")
    assert more < 8, f"{more:.1f} pairs were computed after the signal"
    resumes_to(expected)


def limits():
    """--time-limit, what the batch system tells, --max-failed."""
    n = make_input()
    expected = reference()
    for options, env, words in ((["--time-limit", "0.5"], {}, "time limit of 0.5 s"),
                                ([], {"SLURM_JOB_END_TIME": str(int(time.time()) + 1)}, "SLURM"),
                                ([], {"PBS_WALLTIME": "1"}, "PBS"),
                                (["--time-limit", "0.5"], {"SLURM_JOB_END_TIME": "9999999999"}, "time limit")):
        done = run(*options, ranks=2, env=env, shim=crawl())
        assert done.code == 75 and words in done.out, done.words
        says_how_to_resume(done)
        part_is_whole(n)
        resumes_to(expected, env={"SLURM_JOB_END_TIME": "9999999999"})
        os.remove("out.h5")
    with h5py.File("in.h5", "r+") as file:
        del file["templates"]
        file["templates"] = np.full((5, 120, 125), np.nan, "f4")
    slow_reading = {"call": "pread", "path": "in.h5", "after": "out.h5.part", "action": "nap", "gate": "gate",
                    "nap_us": 50000}
    done = run("--max-failed", "3", ranks=2, shim=slow_reading)
    assert done.code == 75 and "--max-failed 3" in done.out, done.words
    says_how_to_resume(done)
    assert pending() > 0
    resumes_to(reference(), code=6)
    os.remove("out.h5")
    assert run("--max-failed", str(n)).code == 6
    make_input(images=6)
    assert run("--max-failed", "0", "--overwrite").code == 0


def hanging_rank():
    """A rank that no longer answers is named, and the job ends, resumable; one whose reading hangs likewise."""
    n = make_input()
    expected = reference()
    in_its_work = {"call": "transform", "at": int(3 * transforms_per_pair())}
    reading = {"call": "pread", "path": "in.h5", "after": "out.h5.part"}
    reading["at"] = count_calls(reading["call"], "in.h5", after="out.h5.part", ranks=2) // 2
    for rank, shim in ((1, {**in_its_work, "action": "stop"}), (2, {**in_its_work, "action": "hang"}),
                       (0, {**reading, "action": "hang"})):
        run_ = Running(ranks=3, env={"MPIXCORR_PATIENCE_S": "3", **PROMPT}, shim={**shim, "rank": rank})
        done = run_.end()
        run_.wait_for_end_of_ranks()
        assert done.code == 75 and len(done.errors) == 1, done.words
        for word in (f"rank {rank} on {os.uname().nodename}", "hand-out", "row", "--resume"):
            assert word in done.errors[0], done.errors
        print(done.errors[0])
        part_is_whole(n)
        assert 0 < pending() < n
        resumes_to(expected)
        os.remove("out.h5")


def hanging_reader():
    """Rank 0's reading of what another rank waits for hangs when rank 0 has nothing to compute itself: it is named all
    the same."""
    make_input(images=2, templates=1, shape=(1500, 1500), template_shape=(700, 700))  # one for each rank
    expected = reference()
    reading = {"call": "pread", "path": "in.h5", "after": "out.h5.part"}
    reading["at"] = count_calls(reading["call"], "in.h5", "--read", "root", after="out.h5.part", ranks=2)  # the last
    run_ = Running("--read", "root", ranks=2, env={"MPIXCORR_PATIENCE_S": "3"},
                   shim={**reading, "action": "hang", "rank": 0})
    done = run_.end()
    run_.wait_for_end_of_ranks()
    assert done.code == 75 and len(done.errors) == 1, done.words
    for word in (f"rank 0 on {os.uname().nodename}", "reading the pixels of hand-out", "--resume"):
        assert word in done.errors[0], done.errors
    resumes_to(expected)


def hanging_at_the_end():
    """A rank that does not answer when all is done is named too, and nothing is left to compute. What a rank then does is
    to wait for its threads."""
    make_input(images=6)
    expected = reference()
    run_ = Running(ranks=2, env={"MPIXCORR_PATIENCE_S": "3"},
                   shim={"call": "join", "after": "out.h5.part", "action": "hang", "rank": 1})
    done = run_.end()
    run_.wait_for_end_of_ranks()
    assert done.code == 75 and len(done.errors) == 1, done.words
    for word in (f"rank 1 on {os.uname().nodename}", "(ending)", "--resume"):
        assert word in done.errors[0], done.errors
    assert pending() == 0
    resumes_to(expected)


def patience():
    """A job that was suspended as a whole is not taken for one that hangs."""
    make_input()
    expected = reference()
    run_ = Running(ranks=3, env={"MPIXCORR_PATIENCE_S": "3", **PROMPT}, shim=crawl())
    run_.wait_for_rows()
    for pid in run_.ranks().values():
        os.kill(pid, signal.SIGSTOP)
    run_.wait_until(lambda: run_.states() == ["T"] * 3, "three suspended ranks")
    time.sleep(5)
    for pid in run_.ranks().values():
        os.kill(pid, signal.SIGCONT)
    open_gate()
    done = run_.end()
    assert done.code == 0 and tables() == expected, done.words


if __name__ == "__main__":
    main({name: case for name, case in globals().items() if callable(case)})
