"""What the tests on two hosts and under SLURM share: one input and its undisturbed answer, made once for all of them."""
import json
import os
import subprocess
import time

os.environ.setdefault("FAULT_SHIM", "")
from faults_common import MPIEXEC, MPIXCORR, Done, make_input, skip, tables  # noqa: E402, F401

import h5py  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(os.path.join(HERE, "../../.."))
FOLDER = os.environ["CLUSTER_FOLDER"]  # of the common input
INPUT, REFERENCE = os.path.join(FOLDER, "in.h5"), os.path.join(FOLDER, "reference.h5")
WORK_S = 6  # processor time, about: there is time to strike in the middle, on any machine, however busy it is just now
PATIENCE_S = 300


def prepare():
    """The input, as large as this machine is quick, and its answer by one rank alone."""
    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)
    os.environ.setdefault("XDG_CACHE_HOME", FOLDER)
    command = [MPIXCORR, "run", "in.h5", "reference.h5", "--overwrite", "--device", "cpu", "--progress", "none",
               "--threads"]
    shapes = {"shape": (400, 420), "template_shape": (200, 210)}
    images = 60
    make_input(images=images, **shapes)
    for _ in range(2):  # the first time FFTs are planned
        subprocess.run([*command, "1", "--report", "report.json"], check=True, stdout=subprocess.DEVNULL)
    with open("report.json", encoding="utf-8") as file:
        images = int(images * WORK_S / json.load(file)["cpu_seconds"]["computing"]["max"])
    images = min(max(images, 450), 20000)  # more than 64 MiB of pixels: less is always read by rank 0
    os.remove("in.h5")
    pairs = make_input(images=images, **shapes)
    subprocess.run([*command, "2"], check=True, stdout=subprocess.DEVNULL)
    print(f"{images} images, {pairs} pairs")


def rows_done(part):
    """Rows of a part that are done; 0 where there is no part yet."""
    try:
        with h5py.File(part, "r") as file:
            return int((file["status"][()] != 0).sum())
    except OSError:
        return 0


def part_is_whole(part):
    """It can be opened, and no row is done before its data."""
    with h5py.File(part, "r") as file:
        status, coords = file["status"][()], file["coords"][()]
    assert (coords[status == 1] >= 0).all(), "a row is marked as done before its data are there"


def wait_until(what, condition, timeout=PATIENCE_S):
    until = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited {timeout} s in vain until {what}"
        time.sleep(0.05)


def complete_and_same(output, expected=REFERENCE):
    """As a user would tell: by `info --check`, and by the bytes."""
    check = subprocess.run([MPIXCORR, "info", "--check", output], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    found, wanted = tables(output), tables(expected)
    assert set(found) == set(wanted)
    for name in wanted:
        assert found[name] == wanted[name], f"{output}: /{name} differs from the undisturbed run"
    for left in (output + ".part", output + ".part.lock"):
        assert not os.path.exists(left), left


if __name__ == "__main__":
    prepare()
