#!/usr/bin/env python3
"""A matrix of sizes: mpixcorr beside OpenCV, Intel IPP and scikit-image, each at its best, one process, same pixels.

A cell is a template's side, an image of 1.25 to 8 times that, valid or full mode, 1, 5 or 100 templates an image, 8-bit
or float32, one or more threads. What counts is processor time (wall time where there are several threads), the median
of alternations: every method takes a turn, then every method takes the next. Pixels are in memory; images differ from
call to call, so nothing is kept from the call before. Peers get the image padded by zeros in full mode.

The ratio is the best peer's time over ours: above 1 mpixcorr is faster. Prints a row a cell as it goes, writes
--json FILE and draws --svg FILE. MPIXCORR_ISA chooses the instruction set. Needs MPIXCORR_LIBRARY or the package.
"""
import argparse
import ctypes
import json
import math
import os
import pathlib
import statistics
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--templates", default="32,48,64,96,128,192,256,384,512,768,1024,2048", help="sides, pixels")
parser.add_argument("--ratios", default="1.25,1.5,2,3,4,8", help="side of the image over that of the template")
parser.add_argument("--modes", default="valid,full")
parser.add_argument("--counts", default="1,5,100", help="templates of an image")
parser.add_argument("--dtypes", default="u8,f32")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--most-pixels", type=float, default=2.5e7, help="of an image; larger cells are left out and listed")
parser.add_argument("--most-seconds", type=float, default=60, help="of a cell, all rounds; longer ones take fewer rounds")
parser.add_argument("--trial", action="store_true", help="the smallest cells alone, in one round: does the benchmark work?")
parser.add_argument("--ours-only", action="store_true", help="no peers: for profiles")
parser.add_argument("--json", type=pathlib.Path)
parser.add_argument("--svg", type=pathlib.Path)
args = parser.parse_args()
if args.trial:
    args.templates, args.ratios, args.counts, args.rounds = "32", "1.5", "1", 1
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))

import numpy as np  # noqa: E402
from mpixcorr import _library  # noqa: E402


class Ours:
    """What the library is asked is laid out once a cell, as in a program that calls it: a call sets addresses."""

    name = "mpixcorr"

    def __init__(self):
        self.kind, self.matchers = None, {}

    def run(self, image, templates, mode):
        kind = image.shape, image.dtype, len(templates), templates[0].shape, mode
        if kind != self.kind:
            self.kind, self.image, self.templates = kind, describe([image]), describe(templates)
            self.results, self.group = np.zeros(len(templates), _library.RESULT), np.zeros(1, _library.GROUP)
            self.group["image_key"], self.group["n"] = -1, len(templates)
            for field in ("image", "templates", "results"):
                self.group[field] = getattr(self, field).ctypes.data
            if mode not in self.matchers:
                search = _library.Search(min_overlap=1.0 if mode == "valid" else 0.0)
                self.matchers[mode] = _library.Matcher(search, args.threads)
        self.image["data"] = image.ctypes.data
        self.templates["data"] = [template.ctypes.data for template in templates]
        self.matchers[mode].match(self.group)
        return self.results["y,x"]


def describe(arrays):
    out = np.zeros(len(arrays), _library.ARRAY)
    for row, a in zip(out, arrays):
        row["dtype"], row["rows,cols"], row["row_stride"] = _library.PIXEL_TYPES[a.dtype], a.shape, a.shape[1]
    return out


def padded(image, shape):
    return np.pad(image, [(n - 1, n - 1) for n in shape])


class Peer:
    """A method for one pair, valid mode, giving the response."""

    def run(self, image, templates, mode):
        shape = templates[0].shape
        source = image if mode == "valid" else padded(image, shape)
        corner = [n - 1 if mode == "valid" else 0 for n in shape]
        coords = []
        for template in templates:
            y, x = np.unravel_index(np.argmax(self.response(source, template)), self.shape)
            coords.append((y + corner[0], x + corner[1]))
        return coords

    def response(self, image, template):
        response = self.match(image, template)
        self.shape = response.shape
        return response


class OpenCV(Peer):
    name = "OpenCV"

    def __init__(self):
        import cv2

        self.cv2 = cv2
        cv2.setNumThreads(args.threads)

    def match(self, image, template):
        return self.cv2.matchTemplate(image, template, self.cv2.TM_CCOEFF_NORMED)


class Skimage(Peer):
    name = "scikit-image"

    def __init__(self):
        from skimage.feature import match_template

        self.match_template = match_template

    def match(self, image, template):
        return self.match_template(image, template)


class Size(ctypes.Structure):
    _fields_ = [("width", ctypes.c_int), ("height", ctypes.c_int)]


class IPP(Peer):
    """ippiCrossCorrNorm of the wheels `ipp` and `ipp-include`, whose libraries lie in the environment's lib folder."""

    name = "Intel IPP"
    ALGORITHM = 0x00010000 | 0x00000200  # ippiROIValid | ippiNormCoefficient, ippAlgAuto

    def __init__(self):
        folder = pathlib.Path(sys.prefix) / "lib"
        load = {name: next(folder.glob(f"lib{name}.so*")) for name in ("ippcore", "ippvm", "ipps", "ippi")}
        for path in load.values():  # its loader asks for a name that the wheel lacks
            link = path.with_name(path.name.split(".so")[0] + ".so.12.1")
            if not link.exists():
                link.symlink_to(path.name)
        for path in (*folder.glob("libippi[a-z][0-9].so.12"), *folder.glob("libipps[a-z][0-9].so.12"),
                     *folder.glob("libippvm[a-z][0-9].so.12")):
            link = path.with_name(path.name + ".1")
            if not link.exists():
                link.symlink_to(path.name)
        libraries = {name: ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL) for name, path in load.items()}
        libraries["ippcore"].ippInit()
        self.ippi, self.buffer, self.shape_known = libraries["ippi"], None, None

    def match(self, image, template):
        function = self.ippi.ippiCrossCorrNorm_8u32f_C1R if image.dtype == np.uint8 else self.ippi.ippiCrossCorrNorm_32f_C1R
        size, part = Size(image.shape[1], image.shape[0]), Size(template.shape[1], template.shape[0])
        if self.shape_known != (image.shape, template.shape):
            n = ctypes.c_int()
            self.ippi.ippiCrossCorrNormGetBufferSize(size, part, self.ALGORITHM, ctypes.byref(n))
            self.buffer = np.empty(n.value + 64, np.uint8)
            self.shape_known = (image.shape, template.shape)
            self.out = np.empty([a - b + 1 for a, b in zip(image.shape, template.shape)], np.float32)
        status = function(ctypes.c_void_p(image.ctypes.data), image.strides[0], size,
                          ctypes.c_void_p(template.ctypes.data), template.strides[0], part,
                          ctypes.c_void_p(self.out.ctypes.data), self.out.strides[0], self.ALGORITHM,
                          ctypes.c_void_p(self.buffer.ctypes.data))
        if status != 0:
            raise RuntimeError(f"IPP says {status}")
        return self.out


def pictures(side, n, dtype, seed):
    """EM-like: smooth structure and noise."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    out = []
    for _ in range(n):
        spectrum = np.fft.rfft2(random.standard_normal((side, side))) / (1 + (frequency * 12) ** 2)
        smooth = np.fft.irfft2(spectrum, (side, side))
        pixels = 128 + 30 * smooth / smooth.std() + 8 * random.standard_normal((side, side))
        out.append(np.clip(pixels, 0, 255).astype(np.uint8) if dtype == "u8" else pixels.astype(np.float32))
    return out


clock = time.process_time if args.threads == 1 else time.perf_counter


def cell(methods, template, ratio, mode, count, dtype):
    side = round(template * ratio)
    images = pictures(side, 3 if side < 1500 else 2, dtype, template * 1000 + side)
    random = np.random.default_rng(side)
    cuts = []
    for image in images:
        places = random.integers(0, side - template + 1, (count, 2))
        cuts.append([np.ascontiguousarray(image[y : y + template, x : x + template]) for y, x in places])
    at = 0

    def once(method):
        nonlocal at
        at = (at + 1) % len(images)
        return method.run(images[at], cuts[at], mode)

    calls, found = {}, {}
    for method in methods:  # warm: plans, buffers; and how many calls make 30 ms
        found[method.name] = [tuple(map(int, c)) for c in method.run(images[0], cuts[0], mode)]
        once(method)
        start = clock()
        once(method)
        calls[method.name] = max(1, math.ceil(0.03 / max(clock() - start, 1e-6)))
    times = {method.name: [] for method in methods}
    started = time.perf_counter()
    for _ in range(args.rounds):
        for method in methods:
            start = clock()
            for _ in range(calls[method.name]):
                once(method)
            times[method.name].append((clock() - start) / calls[method.name] / count)
        if time.perf_counter() - started > args.most_seconds:
            break
    return {name: 1e3 * statistics.median(t) for name, t in times.items()}, found


def draw(rows, path):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    panels = sorted({(r["mode"], r["count"], r["dtype"]) for r in rows}, key=lambda p: (p[0] != "valid", p[1], p[2]))
    figure, axes = plt.subplots(len(panels), 1, figsize=(7, 0.6 + 2.3 * len(panels)), squeeze=False)
    for axis, panel in zip(axes[:, 0], panels):
        cells = [r for r in rows if (r["mode"], r["count"], r["dtype"]) == panel]
        xs, ys = sorted({r["template"] for r in cells}), sorted({r["ratio"] for r in cells})
        grid = np.full((len(ys), len(xs)), np.nan)
        for r in cells:
            grid[ys.index(r["ratio"]), xs.index(r["template"])] = r["faster"]
        axis.imshow(np.log2(grid), cmap="RdYlGn", vmin=-2, vmax=2, aspect="auto", origin="lower")
        for (y, x), value in np.ndenumerate(grid):
            if np.isfinite(value):
                axis.text(x, y, f"{value:.1f}" if value < 10 else f"{value:.0f}", ha="center", va="center", fontsize=8)
        axis.set_xticks(range(len(xs)), xs)
        axis.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
        axis.set_title(f"{panel[0]} mode, {panel[1]} template{'s' if panel[1] > 1 else ''} an image, {panel[2]}", fontsize=9)
        axis.set_ylabel("image / template")
    axes[-1, 0].set_xlabel("side of the template, pixels; numbers: best peer's time over mpixcorr's")
    figure.tight_layout()
    figure.savefig(path)


def main():
    methods = [Ours()]
    for peer in () if args.ours_only else (OpenCV, IPP, Skimage):
        try:
            methods.append(peer())
        except (ImportError, OSError, StopIteration) as error:
            print(f"without {peer.name}: {error}")
    numbers = lambda text, kind: [kind(word) for word in text.split(",")]  # noqa: E731
    rows = []
    print(f"{'mode':>5} {'dtype':>5} {'count':>5} {'image':>6} {'template':>8}  "
          + "  ".join(f"{m.name:>12}" for m in methods) + "   ms a pair; best peer / ours")
    for mode in args.modes.split(","):
        for dtype in args.dtypes.split(","):
            for count in numbers(args.counts, int):
                for template in numbers(args.templates, int):
                    for ratio in numbers(args.ratios, float):
                        if (template * ratio) ** 2 > args.most_pixels:
                            print(f"{mode:>5} {dtype:>5} {count:>5} {round(template * ratio):>6} {template:>8}  left out")
                            continue
                        chosen = [m for m in methods if m.name != "scikit-image" or template * ratio * count < 2000]
                        ms, found = cell(chosen, template, ratio, mode, count, dtype)
                        peers = [v for k, v in ms.items() if k != "mpixcorr"]
                        faster = min(peers) / ms["mpixcorr"] if peers else math.nan
                        row = {"mode": mode, "dtype": dtype, "count": count, "template": template, "ratio": ratio,
                               "ms": ms, "faster": faster,
                               "same_places": all(found[m.name] == found["mpixcorr"] for m in chosen)}
                        rows.append(row)
                        print(f"{mode:>5} {dtype:>5} {count:>5} {round(template * ratio):>6} {template:>8}  "
                              + "  ".join(f"{ms[m.name]:12.4f}" if m in chosen else " " * 12 for m in methods)
                              + f"   {faster:6.2f}" + ("" if row["same_places"] else "  (places differ)"), flush=True)
                        if args.json:
                            args.json.write_text(json.dumps({"isa": os.environ.get("MPIXCORR_ISA", "best"),
                                                             "threads": args.threads, "rows": rows}, indent=1) + "\n")
    behind = [r for r in rows if r["faster"] < 0.97 and r["template"] >= 48]
    print(f"{len(rows)} cells, behind the best peer in {len(behind)} of those from 48 px up")
    if args.svg and rows:
        draw(rows, args.svg)


if __name__ == "__main__":
    main()
