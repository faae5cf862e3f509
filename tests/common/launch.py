"""What Python tests launch things with: the program, mpirun, h5py and numpy. Skips (77) where one is not there."""
import os
import subprocess
import sys

PATIENCE_S = 600  # what a launch may take before it counts as hanging: machines are busy


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


try:
    import h5py  # noqa: F401
    import numpy as np  # noqa: F401
except ImportError as missing:
    skip(missing)

MPIXCORR, MPIEXEC = os.environ["MPIXCORR"], os.environ["MPIEXEC"]  # the latter is common/bin/mpirun


def on_ranks(ranks):
    """What a command begins with; one rank needs no launcher."""
    return [] if ranks <= 1 else [MPIEXEC, "-n", str(ranks)]


def launch(command, timeout=PATIENCE_S, **how):
    """A command that has ended, with its words as text."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace",
                          timeout=timeout, check=False, **how)
