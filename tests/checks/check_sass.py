#!/usr/bin/env python3
"""What nvcc makes of the kernels for sm_90 and sm_100 (no GPU needed): check_sass.py

Products are read and written 16 bytes at a time, nothing but atomics is ordered over the whole device, no kernel divides
64-bit integers by software, and `bounds` takes few instructions. Prints each kernel. Where the toolkit came without nvdisasm
it is fetched from PyPI. Exit 77 without nvcc, or where that cannot be.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
import sass  # noqa: E402

MOST_BOUNDS = 200  # instructions of a warp for 128 positions of one template, all that is done once a tile included

failed = []


def expect(condition, words):
    if not condition:
        failed.append(words)
        print("FAILED:", words, file=sys.stderr)


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


def fetch_nvdisasm(folder):
    """Newer ones know what older compilers make."""
    pip = os.path.join(folder, "bin", "pip")
    for command in ([sys.executable, "-m", "venv", folder],
                    [pip, "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "20", "--no-deps", "nvidia-cuda-nvdisasm>=13"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            skip("no nvdisasm, nor can it be fetched: " + (done.stderr or done.stdout).strip().splitlines()[-1])
    os.environ["NVDISASM"], = glob.glob(os.path.join(folder, "lib", "python*", "site-packages", "nvidia", "*", "bin", "nvdisasm"))


def main():
    nvcc, nvdisasm = sass.tools()
    if not nvcc:
        skip("no nvcc")
    with tempfile.TemporaryDirectory() as folder:
        if not nvdisasm:
            fetch_nvdisasm(folder)
        check()
    sys.exit(bool(failed))


def check():
    for architecture in os.environ.get("SASS_ARCHITECTURES", "90 100").split():
        kernels, text = sass.kernels(architecture)
        print(f"sm_{architecture}", *kernels.values(), sep="\n")
        expect(len(kernels) == 13, f"sm_{architecture}: {len(kernels)} kernels, expected 13")
        for name in sass.MULTIPLY.values():
            for loop in kernels[name].loops():
                other = {width: n for table in (loop.cost.loads, loop.cost.stores) for width, n in table.items() if width != 16}
                turn = {8: 1} if loop.inner else {}  # the first of a row's turns
                expect(other in ({}, turn), f"sm_{architecture}: products are not by 16 bytes: {loop.cost}")
        ordered = [line for line in text.splitlines() if "STRONG" in line and not re.search("ATOM|RED", line)]
        expect(not ordered, f"sm_{architecture}: an ordered access that is no atomic: {ordered[:1]}")
        divided = [line for line in text.splitlines() if re.search("CALL.*cuda_sm20_(div|rem)_[us]64", line)]
        expect(not divided, f"sm_{architecture}: a 64-bit division: {divided[:1]}")
        template, tile = sass.bounds(kernels)
        most = (template.instructions + tile.instructions) / template.loads[16]
        print(f"bounds: {most:.0f} instructions for 128 positions of one template, "
              f"{(template.instructions + tile.instructions / 8) / template.loads[16]:.0f} of each of eight")
        expect(most <= MOST_BOUNDS, f"sm_{architecture}: bounds takes {most:.0f} instructions for 128 positions, at most {MOST_BOUNDS}")


if __name__ == "__main__":
    main()
