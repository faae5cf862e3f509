#!/usr/bin/env python3
"""One measurement of one peer: `peers.py INPUT METHOD [options]` prints JSON.

Pixels are loaded and converted before the clock starts; what is timed is the pure batch. Every method searches the same
cropped full correlation, the image being zero outside itself, and gives (y, x) in full coordinates. METHOD is

  scipy          the algorithm of rcc-xcorr as its README and J. P. Lewis, "Fast Normalized Cross-Correlation", describe
                 it: the image padded by the template on every side, fftconvolve, float32, window sums from cumulative
                 sums, an absolute epsilon under the root; the image is padded and transformed again for every pair
  scipy-grouped  likewise; padding and window sums once for all templates of an image, the transform for each (theirs)
  cached         not rcc-xcorr but what one could write with the same tools: the shortest fast transform that the crop
                 allows, the image's transform and window statistics kept for all its templates
  opencv         cv2.matchTemplate, TM_CCOEFF_NORMED, on the image with as much of a zero border as the crop leaves
  skimage        skimage.feature.match_template, pad_input=True (its result is as large as the image) on an image padded
                 by what that leaves out

--fft mkl takes MKL's transforms behind scipy.fft. --pool threads|processes spreads pairs (groups) over the cores;
--pool inside leaves the cores to the library.
"""
import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

parser = argparse.ArgumentParser()
parser.add_argument("input")
parser.add_argument("method", choices=["scipy", "scipy-grouped", "cached", "opencv", "skimage"])
parser.add_argument("--fft", choices=["pocketfft", "mkl"], default="pocketfft")
parser.add_argument("--cores", type=int, default=1)
parser.add_argument("--pool", choices=["threads", "processes", "inside"], default="threads")
parser.add_argument("--crop", default="0,0", help="X,Y or half")
parser.add_argument("--seconds", type=float, default=1.0, help="pairs are added until about this long")
parser.add_argument("--pairs", type=int, default=0, help="exactly so many instead")
args = parser.parse_args()

# Before the libraries are loaded: cores are used by the pool or by the library, never by both.
inside = args.cores if args.pool == "inside" else 1
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(inside)

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import scipy.fft  # noqa: E402
from scipy.signal import fftconvolve  # noqa: E402

if args.fft == "mkl":
    import mkl_fft.interfaces.scipy_fft

    scipy.fft.set_global_backend(mkl_fft.interfaces.scipy_fft, only=True)
if args.method == "opencv":
    import cv2

    cv2.setNumThreads(inside)
if args.method == "skimage":
    from skimage.feature import match_template


class Input:
    """Pixels on demand, in the type that the method wants, and the pairs, sorted by image."""

    def __init__(self, path, raw):
        self.file = h5py.File(path)
        self.raw = raw
        pairs = self.file["pairs"][:].astype(np.int64)
        self.rows = np.argsort(pairs[:, 0], kind="stable")
        self.pairs = pairs
        self.cache = {}

    def get(self, kind, index):
        if (kind, index) not in self.cache:
            objects = self.file[kind]
            if isinstance(objects, h5py.Group):
                pixels = objects[next(name for name in (str(index), f"{index:07d}", f"{index:04d}") if name in objects)][:]
            else:
                pixels = objects[index]
            native = pixels.astype(pixels.dtype.newbyteorder("="))
            keep = self.raw and native.dtype in (np.uint8, np.float32)
            self.cache[kind, index] = native if keep else native.astype(np.float32)
        return self.cache[kind, index]


def crop_of(template):
    if args.crop == "half":
        return template.shape[0] // 2, template.shape[1] // 2
    x, y = args.crop.split(",")
    return int(y), int(x)


def peak(response, y0, x0):
    """The largest value of a response whose corner is (y0, x0) in full coordinates."""
    y, x = np.unravel_index(np.argmax(response), response.shape)
    return int(y) + y0, int(x) + x0, float(response[y, x])


# ---- rcc-xcorr's algorithm -----------------------------------------------------------------------------------------


def window_sum(padded, shape):
    """Sums under every window of the full correlation, by differences of running sums."""
    running = np.cumsum(padded, axis=0)
    rows = running[shape[0] : -1] - running[: -shape[0] - 1]
    running = np.cumsum(rows, axis=1)
    return running[:, shape[1] : -1] - running[:, : -shape[1] - 1]


def lewis_image(image, shape):
    """What depends on the image and the template's shape alone: padded image, window sums, ssd under each window."""
    padded = np.pad(image, [(shape[0], shape[0]), (shape[1], shape[1])])
    sums = window_sum(padded, shape)
    ssd = window_sum(padded * padded, shape)
    ssd -= sums * sums / np.float32(shape[0] * shape[1])
    return padded, sums, ssd


def lewis_template(prepared, template):
    padded, sums, ssd = prepared
    mean = template.mean()
    numerator = fftconvolve(padded, template[::-1, ::-1], mode="valid")[1:-1, 1:-1]
    numerator = numerator - sums * mean
    denominator = ssd * np.sum((template - mean) ** 2)
    np.maximum(denominator, 0, out=denominator)
    np.sqrt(denominator, out=denominator)
    response = np.zeros_like(numerator)
    np.divide(numerator, denominator, out=response, where=denominator > np.finfo(np.float32).eps)
    y0, x0 = crop_of(template)
    return peak(response[y0 : response.shape[0] - y0, x0 : response.shape[1] - x0], y0, x0)


def scipy_pair(image, template):
    return lewis_template(lewis_image(image, template.shape), template)


def scipy_group(image, templates):
    prepared = lewis_image(image, templates[0].shape)
    ready = time.perf_counter()
    return [lewis_template(prepared, template) for template in templates], ready


# ---- the same tools at their best ----------------------------------------------------------------------------------


def cached_group(image, templates):
    shape = templates[0].shape
    y0, x0 = crop_of(templates[0])
    full = [image.shape[i] + shape[i] - 1 for i in (0, 1)]
    fast = [scipy.fft.next_fast_len(full[0] - y0, real=True), scipy.fft.next_fast_len(full[1] - x0, real=True)]
    centred = image - image.mean()
    spectrum = scipy.fft.rfft2(centred, fast)
    border = [(shape[0], shape[0]), (shape[1], shape[1])]
    kept = np.s_[y0 : full[0] - y0, x0 : full[1] - x0]
    padded = np.pad(image.astype(np.float64), border)
    sums = window_sum(padded, shape)[kept]
    squares = window_sum(padded * padded, shape)[kept]
    squares -= sums * sums / (shape[0] * shape[1])
    flat = squares <= 1e-12 * squares.max()
    inverse = 1 / np.sqrt(np.where(flat, 1, squares))
    inverse[flat] = 0
    inverse = inverse.astype(np.float32)
    # The mean was taken off the image alone, not off the zeros around it: what that changes is known.
    ones = np.zeros(padded.shape)
    ones[shape[0] : -shape[0], shape[1] : -shape[1]] = image.mean()
    ready = time.perf_counter()
    answers = []
    for template in templates:
        deviation = template - template.mean()
        product = scipy.fft.rfft2(deviation[::-1, ::-1], fast)
        product *= spectrum
        response = scipy.fft.irfft2(product, fast, overwrite_x=True)[kept]
        # Sum of the deviation over the overlap, from its running sums: 0 inside, so only borders are touched.
        running = np.zeros((shape[0] + 1, shape[1] + 1))
        np.cumsum(np.cumsum(deviation, axis=0, dtype=np.float64), axis=1, out=running[1:, 1:])
        y, x = np.arange(y0, full[0] - y0), np.arange(x0, full[1] - x0)
        top, left = np.maximum(0, shape[0] - 1 - y), np.maximum(0, shape[1] - 1 - x)
        bottom = np.where(y < image.shape[0], shape[0], image.shape[0] - 1 - y + shape[0])
        right = np.where(x < image.shape[1], shape[1], image.shape[1] - 1 - x + shape[1])
        overhang = (top > 0) | (bottom < shape[0])
        response[overhang] += image.mean() * (
            running[bottom[overhang]][:, right] - running[top[overhang]][:, right]
            - running[bottom[overhang]][:, left] + running[top[overhang]][:, left]
        )
        sides, middle = (left > 0) | (right < shape[1]), ~overhang
        response[np.ix_(middle, sides)] += image.mean() * (running[-1, right[sides]] - running[-1, left[sides]])
        response *= inverse
        y, x, value = peak(response, y0, x0)
        answers.append((y, x, value / float(np.linalg.norm(deviation.astype(np.float64)))))
    return answers, ready


# ---- libraries -----------------------------------------------------------------------------------------------------


def opencv_pair(image, template):
    y0, x0 = crop_of(template)
    by, bx = template.shape[0] - 1 - y0, template.shape[1] - 1 - x0
    padded = cv2.copyMakeBorder(image, by, by, bx, bx, cv2.BORDER_CONSTANT, value=0)
    return peak(cv2.matchTemplate(padded, template, cv2.TM_CCOEFF_NORMED), y0, x0)


def skimage_pair(image, template):
    y0, x0 = crop_of(template)
    # pad_input=True answers from (rows - 1) // 2 on, for as many positions as the image has pixels.
    before = [max(0, (template.shape[i] - 1) // 2 - c) for i, c in ((0, y0), (1, x0))]
    after = [max(0, template.shape[i] // 2 - c) for i, c in ((0, y0), (1, x0))]
    if any(before) or any(after):
        image = np.pad(image, [(before[0], after[0]), (before[1], after[1])])
    response = match_template(image, template, pad_input=True)
    first = [(template.shape[i] - 1) // 2 - before[i] for i in (0, 1)]
    skip = [max(0, c - first[i]) for i, c in ((0, y0), (1, x0))]
    rows, cols = (response.shape[i] - skip[i] for i in (0, 1))
    return peak(response[skip[0] : skip[0] + rows, skip[1] : skip[1] + cols], first[0] + skip[0], first[1] + skip[1])


# ---- the batch -----------------------------------------------------------------------------------------------------

by_pair = {"scipy": scipy_pair, "opencv": opencv_pair, "skimage": skimage_pair}
by_group = {"scipy-grouped": scipy_group, "cached": cached_group}
data = Input(args.input, raw=args.method == "opencv")


def jobs_for(positions):
    """Work items, lists of positions: single pairs, or the templates of one image (cut where cores would idle)."""
    if args.method in by_pair:
        return [[p] for p in positions]
    groups = {}
    for p in positions:
        pair = data.pairs[data.rows[p]]
        groups.setdefault((pair[0], data.get("templates", pair[1]).shape), []).append(p)
    parts = args.cores if len(groups) < args.cores and args.pool != "inside" else 1
    items = []
    for group in groups.values():
        size = -(-len(group) // parts)
        items += [group[i : i + size] for i in range(0, len(group), size)]
    return items


def load(positions):
    for p in positions:
        image, template = data.pairs[data.rows[p]]
        data.get("images", image)
        data.get("templates", template)


def work(item):
    """Answers, seconds, and how many of them would have served more templates of the same image."""
    start = time.perf_counter()
    with scipy.fft.set_workers(inside):
        image = data.get("images", data.pairs[data.rows[item[0]]][0])
        templates = [data.get("templates", data.pairs[data.rows[p]][1]) for p in item]
        if args.method in by_pair:
            answers, ready = [by_pair[args.method](image, templates[0])], start
        else:
            answers, ready = by_group[args.method](image, templates)
    return answers, time.perf_counter() - start, ready - start


def warm(_):
    time.sleep(0.05)


def run(items):
    """Results of the items, and the wall time of all, without the pool's start."""
    if args.pool == "inside" or args.cores == 1:
        start = time.perf_counter()
        return [work(item) for item in items], time.perf_counter() - start
    threads = args.pool == "threads"
    pool_of = ThreadPoolExecutor if threads else ProcessPoolExecutor
    with pool_of(args.cores, **({} if threads else {"mp_context": get_context("fork")})) as pool:
        list(pool.map(warm, range(args.cores)))
        start = time.perf_counter()
        return list(pool.map(work, items)), time.perf_counter() - start


def main():
    total = len(data.pairs)
    group = int((data.pairs[:, 0] == data.pairs[data.rows[0], 0]).sum())
    load([0])
    start = time.perf_counter()
    results = [work([0])]
    once = elapsed = time.perf_counter() - start
    if once < 1:  # most of the first may have been the libraries' own preparation
        start = time.perf_counter()
        work([0])
        once = time.perf_counter() - start
    items = [[0]]
    if once < SLOW_S or args.cores > 1:
        unit = 1 if args.method in by_pair else group if once * group < 2 * args.seconds else min(group, 2)
        wanted = args.pairs or max(1, round(args.seconds / once)) * args.cores
        unit *= args.cores
        positions = range(min(total, args.pairs or -(-wanted // unit) * unit))
        load(positions)
        items = jobs_for(positions)
        results, elapsed = run(items)
    # Where groups were cut short, the share of preparing images is taken as if they had been whole.
    pairs = sum(len(item) for item in items)
    worked = sum(seconds for _, seconds, _ in results)
    shared = sum(seconds for _, _, seconds in results)
    whole = shared / len(items) * pairs / group
    per_pair = elapsed / pairs * (worked - shared + min(shared, whole)) / worked
    answers = [answer for part, _, _ in results for answer in part]
    json.dump({"per_pair_s": per_pair, "elapsed_s": elapsed, "pairs": pairs,
               "rows": [int(data.rows[p]) for item in items for p in item],
               "coords": [a[:2] for a in answers], "peaks": [a[2] for a in answers]}, sys.stdout)


SLOW_S = 4.0  # a single pair that takes longer is measurement enough
main()
