#!/usr/bin/env python3
"""What Python costs on top of the engine, on the patterns of EM alignment: python3 python/bench/overhead.py [PATTERN ...]

    align3d   one 3600x3600 image, 7 rotated 442x442 templates, crop 221, one call
    stitch2d  61 tiles of 681x782 with 8 quarter-area templates each, 300 pairs, one call
    small     1,000 calls of 10 pairs of 128x128 images with 48x48 templates

For each: the wall time of execute_batch(), the engine's own time in it (its counters, planning apart), their ratio, and the
processor time of all threads.
Pixels are float32 noise: the work does not depend on them. A call before the clock plans the transforms.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from mpixcorr import _library, release
from mpixcorr.xcorr import BatchXCorr

#: Counters in seconds of the calling thread, in the library's call; they do not overlap.
STAGES = ("image_s", "template_s", "columns_s", "peak_s", "certify_s", "second_tier_s")


def counters() -> tuple[float, float]:
    """Seconds of the engine, and of planning, so far."""
    found = [matcher for _, matcher in _library._idle]
    return sum(m.seconds(name) for m in found for name in STAGES), sum(m.seconds("planning_s") for m in found)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def measure(name: str, calls: int, images, templates, pairs, **options) -> None:
    def call() -> float:
        start = time.perf_counter()
        BatchXCorr.BatchXCorr(images, templates, pairs, disable_pbar=True, **options).execute_batch()
        return time.perf_counter() - start

    release()
    first = call()
    before, cpu = counters(), time.process_time()
    wall = sum(call() for _ in range(calls))
    after, cpu = counters(), time.process_time() - cpu
    engine = after[0] - before[0]
    planned = f", planning {after[1] - before[1]:.3f} s" if after[1] != before[1] else ""
    print(
        f"{name}: {wall / calls * 1e3:.2f} ms a call of {len(pairs)} pairs, engine {engine / calls * 1e3:.2f} ms, "
        f"ratio {wall / engine:.3f}, CPU {cpu / calls * 1e3:.2f} ms; "
        f"first call {first:.2f} s, of which planning {before[1]:.2f} s{planned}",
        flush=True,
    )


def align3d() -> None:
    image = noise(3600, 3600)
    templates = [image[i * 450 : i * 450 + 442, 99:541] for i in range(7)]
    measure("align3d", 3, [image], templates, [[0, i] for i in range(7)], crop_output=(221, 221))


def stitch2d() -> None:
    images = noise(61, 681, 782)
    templates = np.concatenate([images[:, :340, :391]] * 8)
    pairs = [(i, 61 * k + (i + 1) % 61) for i in range(61) for k in range(8)][:300]
    measure("stitch2d", 1, images, templates, pairs)


def small() -> None:
    images = list(noise(10, 128, 128))
    templates = [image[20:68, 30:78] for image in images]
    measure("small, a template an image", 1000, images, templates, [[i, i] for i in range(10)])
    measure("small, one image", 1000, images, templates, [[0, i] for i in range(10)])
    whole = [image.copy() for image in images]
    measure("small, 128x128 templates", 1000, images, whole, [[i, (i + 1) % 10] for i in range(10)])


PATTERNS = {"align3d": align3d, "stitch2d": stitch2d, "small": small}

if __name__ == "__main__":
    for pattern in sys.argv[1:] or PATTERNS:
        PATTERNS[pattern]()
