#!/usr/bin/env python3
"""Every filter against scipy.ndimage on every pixel type, odd sizes, images smaller than the kernel: within 1 ulp of
float32 + 1e-13 of the largest pixel; and the same bytes on every instruction set and number of threads.
filters_scipy.py TOOL"""
import os
import subprocess
import sys

try:
    import numpy as np
    from scipy import ndimage
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

TOOL = sys.argv[1]
DTYPES = {"u8": "u1", "i8": "i1", "u16": "u2", "i16": "i2", "u32": "u4", "i32": "i4", "f16": "f2", "f32": "f4", "f64": "f8"}
CHAINS = ["median:1", "median:3", "median:5", "median:9", "gauss:0.1", "gauss:0.7", "gauss:2.3", "gauss:11", "log:0.5",
          "log:1.5", "log:3", "dog:1,2.5", "dog:4,0.5", "highpass:3", "median:3,log:1.5", "gauss:1,highpass:5,median:3"]
SIZES = [(1, 1), (1, 7), (13, 1), (2, 3), (31, 37), (64, 64), (97, 130)]


def expected(pixels, chain):
    out = pixels.astype(np.float64)
    words = chain.replace("dog:", "dog:;").split(",")
    i = 0
    while i < len(words):
        name, number = words[i].split(":")
        if name == "dog":
            a, b = float(number[1:]), float(words[i + 1])
            out = ndimage.gaussian_filter(out, a) - ndimage.gaussian_filter(out, b)
            i += 1
        elif name == "median":
            out = ndimage.median_filter(out, size=int(number))
        elif name == "gauss":
            out = ndimage.gaussian_filter(out, float(number))
        elif name == "log":
            out = ndimage.gaussian_laplace(out, float(number))
        else:
            out = out - ndimage.gaussian_filter(out, float(number))
        i += 1
    return out


def ours(pixels, dtype, chain, threads=1, isa=None):
    environment = dict(os.environ, **({"MPIXCORR_ISA": isa} if isa else {}))
    done = subprocess.run([TOOL, chain, dtype, *map(str, pixels.shape), str(threads)], input=pixels.tobytes(),
                          stdout=subprocess.PIPE, env=environment, check=True)
    return np.frombuffer(done.stdout, np.float32).reshape(pixels.shape)


def make(random, dtype, shape):
    kind = np.dtype(DTYPES[dtype])
    if kind.kind == "f":
        return (random.standard_normal(shape) * random.choice([1e-3, 1, 1e3]) + random.choice([0, 500])).astype(kind)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    return random.integers(low, high, shape, kind, endpoint=True)


def main():
    random, worst, cases = np.random.default_rng(3), 0.0, 0
    for i, chain in enumerate(CHAINS):
        for j, shape in enumerate(SIZES):
            for dtype in list(DTYPES)[(i + j) % 3 :: 3]:
                pixels = make(random, dtype, shape)
                truth, found = expected(pixels, chain), ours(pixels, dtype, chain)
                allowed = np.spacing(np.abs(truth).astype(np.float32)) + 1e-13 * float(np.abs(pixels.astype(np.float64)).max())
                off = float((np.abs(found - truth) / allowed).max())
                assert off <= 1, f"{chain} on {dtype} {shape}: {off:.2f} times what is allowed"
                worst, cases = max(worst, off), cases + 1
        pixels = make(random, "f32", (97, 131))
        plain = ours(pixels, "f32", chain, isa="plain").tobytes()
        for isa, threads in (("avx2", 1), ("avx512", 3)):
            assert ours(pixels, "f32", chain, threads, isa).tobytes() == plain, f"{chain}: {isa}, {threads} threads"
    print(f"{cases} cases, at most {worst:.2f} of what is allowed")


main()
