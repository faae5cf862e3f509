#!/usr/bin/env python3
"""Memory does not grow with the number or the size of what is imported: import_memory.py MPIXCORR"""
import os
import subprocess
import sys

import numpy as np

from import_common import main, mat5, tiff

MIB = 1 << 20
BOUND_MIB = 64  # libraries, blocks of 16 MiB before and after conversion, a row of tiles


def folder(name, files, **options):
    """`files` images that are all the same file under different names; the template is a small one."""
    os.mkdir(name)
    tiff(f"{name}/image0000.tif", files[1], **options)
    for i in range(1, files[0]):
        os.link(f"{name}/image0000.tif", f"{name}/image{i:04d}.tif")
    tiff(f"{name}/templ0000.tif", np.ones((4, 4), "f4"))
    mat5(f"{name}/comps.mat", comps=np.array([[i, 0] for i in range(files[0])]))


# In a process of its own: a child's peak counts that of the process that started it.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_mib(name, *options):
    """Resident memory of one import at its peak; the output is removed."""
    command = [sys.executable, "-c", MEASURE, sys.argv[1], "import", name, "out.h5", *options]
    peak = int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) / 1024
    size = os.path.getsize("out.h5")
    os.remove("out.h5")
    print(f"{name} {' '.join(options)}: {peak:.0f} MiB resident, {size / MIB:.0f} MiB written")
    return peak


def many_files():
    pixels = np.zeros((2000, 1000), "f4")
    folder("few", (2, pixels))
    folder("many", (30, pixels))
    few, many = peak_mib("few"), peak_mib("many")
    assert many < few + 8 and many < BOUND_MIB


def large_files():
    pixels = np.zeros((20000, 2000), "f4")
    for name, options in (("strip", {}), ("strips", {"strip_rows": 16}), ("tiles", {"tile": (256, 256)}),
                          ("swapped", {"order": ">"})):
        folder(name, (1, pixels), **options)
        assert peak_mib(name) < BOUND_MIB
        if name == "strips":
            assert peak_mib(name, "--dtype", "u8", "--compress", "1", "--chunk", "500,500") < BOUND_MIB
        os.remove(f"{name}/image0000.tif")


def large_stacks():
    os.mkdir("stack")
    np.lib.format.open_memmap("stack/images.npy", "w+", "f4", (10, 4000, 1000)).flush()
    np.save("stack/templates.npy", np.ones((1, 4, 4), "f4"))
    np.save("stack/pairs.npy", np.zeros((1, 2), "i8"))
    assert peak_mib("stack") < BOUND_MIB


main(many_files, large_files, large_stacks)
