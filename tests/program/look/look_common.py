"""What the Python tests of looking at results share. Skips (77) without the Python modules."""
import os

from cases import main  # noqa: F401
from launch import MPIXCORR, PATIENCE_S, h5py, launch, np, on_ranks  # noqa: F401

DATASETS = ("coords", "offsets", "peaks", "overlap", "status", "pairs")
QUALITY = ("subpixel", "subpixel_offsets", "curvature", "second_coords", "second_peaks")


def program(*arguments, code=0, ranks=0, timeout=PATIENCE_S):
    """Runs the program, alone or under mpirun, and checks its exit code (None: any); returns what it printed."""
    done = launch([*on_ranks(ranks), MPIXCORR, *arguments], timeout)
    assert code in (done.returncode, None), f"{arguments}: exit {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def run(folder, name, output, *options, ranks=0):
    """`mpixcorr run`; returns the path of the output."""
    path = os.path.join(folder, output)
    program("run", os.path.join(folder, name), path, "--progress", "none", *options, ranks=ranks)
    return path


def assert_same_bytes(first, second, datasets=DATASETS):
    with h5py.File(first) as a, h5py.File(second) as b:
        for name in datasets:
            assert a[name][:].tobytes() == b[name][:].tobytes(), f"{name} of {first} and {second} differ"
