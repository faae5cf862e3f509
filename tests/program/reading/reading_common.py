"""What the tests of reading share: small scenes, runs on some ranks, their results and reports. Skips (77) without
h5py."""
import json
import os
import re
import subprocess

from cases import main  # noqa: F401
from launch import MPIEXEC, MPIXCORR, PATIENCE_S, h5py, launch, np

TABLES = ("coords", "offsets", "peaks", "overlap", "status")


def scene(rng, rows, cols):
    """Smooth noise of whole numbers from 0 to 127, which every pixel type can hold."""
    coarse = rng.normal(size=(rows // 4 + 2, cols // 4 + 2))
    fine = np.kron(coarse, np.ones((4, 4)))[:rows, :cols] + 0.2 * rng.normal(size=(rows, cols))
    return (20 * fine + 64).clip(0, 127).astype("u1")


class Done:
    def __init__(self, process, output, report):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr
        self.errors = [line for line in self.err.splitlines() if line.startswith("mpixcorr: ")]
        self.words = f"exit {self.code}\n{self.out}\n{self.err}"
        self.reading = re.search("^reading  (.*)$", self.out, re.M)
        self.reading = self.reading[1] if self.reading else ""
        self.report, self.tables = None, None
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                self.report = json.load(file)
            os.remove(report)
        if os.path.exists(output):
            with h5py.File(output, "r") as file:
                self.tables = {name: file[name][()].tobytes() for name in TABLES}
            os.remove(output)


def run(input, *options, ranks=1, folders=None, elsewhere=None, env=None, prefix="run", keep=None):
    """A run on some ranks, whose output is removed again, or kept under a name; or on a rank in each of the folders; or on two ranks, before the second of which runs a command
    that nobody else sees the mounts of."""
    output, report = os.path.abspath(prefix + ".out.h5"), os.path.abspath(prefix + ".report.json")
    program = [MPIXCORR, "run", input, output, "--progress", "none", "--threads", "1", "--fft-effort", "estimate",
               "--report", report, *map(str, options)]
    command = program if ranks == 1 else [MPIEXEC, "-n", str(ranks), *program]
    if folders:
        command = [MPIEXEC]
        for i, folder in enumerate(folders):
            command += ([":"] if i else []) + ["-n", "1", "-wdir", os.path.abspath(folder), *program]
    if elsewhere:
        command = [MPIEXEC, "-n", "1", *program, ":", "-n", "1", "unshare", "-m", "sh", "-c", elsewhere + ' && exec "$@"', "sh",
                   *program]
    process = launch(command, env={**os.environ, **(env or {})})
    if keep and os.path.exists(output):
        os.rename(output, keep)
    return Done(process, output, report)


def can_mount():
    """Whether `elsewhere` works here."""
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0


def same(done, expected):
    assert done.code == 0, done.words
    for name in TABLES:
        assert done.tables[name] == expected.tables[name], f"/{name} differs: {done.words}"
    return done
