"""What the Python tests of looking at results share. Skips (77) without the Python modules."""
import os
import sys
import tempfile
import traceback

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


def main(*tests):
    """Runs test functions, each in an empty folder of its own."""
    failed = 0
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(folder)
                print(f"{test.__name__}: passed")
            except Exception:  # noqa: BLE001 - a test may fail in any way
                traceback.print_exc()
                print(f"{test.__name__}: FAILED")
                failed += 1
    sys.exit(failed > 0)
