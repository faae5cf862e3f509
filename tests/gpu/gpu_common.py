"""What the tests of the GPU engine share: runs on the stand-in for CUDA, compared with runs of the CPU engine.

Skips (77) without the Python modules. Each run must leave the stand-in content: it ends a program that misuses CUDA by a
signal, and one that forgets to give something back with 99.
"""
import json
import os
import re
import sys
import tempfile

from launch import MPIXCORR, h5py, launch, np, on_ranks

INPUT = "in.h5"


def tables(path):
    """Every dataset's bytes, those in groups included."""
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()].tobytes()}) if hasattr(item, "dtype") and name != "run" else None)
    return found


class Done:
    """A run that has ended: exit code, output, report, results, and how often CUDA was called, over all ranks."""

    def __init__(self, device, options, ranks, environment, input=INPUT):
        output, report, counts = "out.h5", "report.json", "counts"
        for path in (output, output + ".part", report, counts):
            if os.path.exists(path):
                os.remove(path)
        launcher = on_ranks(ranks)
        command = [*launcher, MPIXCORR, "run", input, output, "--device", device, "--progress", "none", "--report", report]
        command += ["--fft-effort", "estimate", *map(str, options)]
        done = launch(command, env={**os.environ, "CUDA_HOST_COUNT": counts, **environment})
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.words = f"{device} {' '.join(map(str, options))} on {ranks} ranks, {environment}: exit {self.code}\n{self.out}{self.err}"
        self.tables = tables(output) if os.path.exists(output) else None
        self.part = os.path.exists(output + ".part")
        self.report, self.calls = {}, {}
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                self.report = json.load(file)
        if os.path.exists(counts):
            with open(counts, encoding="ascii") as file:
                for line in file:
                    name, n = line.split()
                    self.calls[name] = self.calls.get(name, 0) + int(n)

    @property
    def errors(self):
        """Lines that tell why a run failed."""
        return [line for line in self.err.splitlines() if re.match("mpixcorr: (?!warning|note)", line)]

    @property
    def left(self):
        """What the run says of pairs that left the GPU, and of ranks that did."""
        words = "went to the CPU engine|the GPU is given up"
        return [line for line in (self.out + self.err).splitlines() if re.search(words, line)]


def gpu(*options, ranks=1, **environment):
    return Done("gpu", options, ranks, environment)


def cpu(*options, ranks=1):
    return Done("cpu", options, ranks, {})


def expect(condition, done, what):
    if not condition:
        raise AssertionError(f"{what}: {done.words}")


def same(done, expected, what=""):
    """The same end and the same bytes as an undisturbed run of the CPU engine."""
    expect(done.code == expected.code, done, f"{what}, expected exit {expected.code}")
    expect(done.tables is not None and set(done.tables) == set(expected.tables), done, f"{what}, datasets")
    for name, data in expected.tables.items():
        expect(done.tables[name] == data, done, f"{what}, /{name} differs from the CPU engine's")


def computed(done, expected, what=""):
    """It was the GPU engine that did it, without falling back. Garbage on the device costs no right answer, as the second
    tier then finds it: so no more pairs may go there than with the CPU engine."""
    expect(done.calls.get("computed", 0) > 0, done, f"{what}, nothing was computed on the GPU")
    expect(not done.left, done, f"{what}, not all was computed on the GPU")
    counters = [run.report["counters"] for run in (done, expected)]
    expect(counters[0]["second_tier"] <= counters[1]["second_tier"], done, f"{what}, in the second tier {counters}")
    return counters[0]


def compare(*options, ranks=1, **environment):
    """The GPU engine gives what the CPU engine gives."""
    expected = cpu(*options)
    expect(expected.code in (0, 6), expected, "the CPU engine")
    done = gpu(*options, ranks=ranks, **environment)
    same(done, expected)
    computed(done, expected)
    return done


def main(cases):
    """Runs the named case in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = folder
        cases[sys.argv[1]]()
        os.chdir("/")
    print(f"passed {sys.argv[1]}")
