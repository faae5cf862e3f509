"""The cases of a test's script: each in a folder of its own, all of them, so that every failure is seen."""

import inspect
import os
import sys
import tempfile
import traceback


def main(*cases, prepare=lambda: None):
    """Runs the cases and leaves the program; red if one of them raised. prepare() comes before each, in its folder,
    which is told to cases that take an argument."""
    failed = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                prepare()
                case(*[folder] * len(inspect.signature(case).parameters))
                print(f"passed {case.__name__}", flush=True)
            except Exception:
                traceback.print_exc(file=sys.stdout)
                print(f"FAILED {case.__name__}", flush=True)
                failed += 1
            os.chdir("/")
    sys.exit(failed > 0)
