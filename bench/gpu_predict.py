#!/usr/bin/env python3
"""What one H100 with 16 cores should do, before any has: gpu_predict.py [--bench BENCH_GPU] [--counts FOLDER] [--before FOLDER]

Instructions and accesses of the kernels are counted in their SASS (sass.py: nvcc and nvdisasm, no GPU); launches, waits,
copies and steps that need the one before, by the tests' stand-in for CUDA, with which BENCH_GPU is built
(build-cuda-host/bench/bench_gpu). Counts are kept in FOLDER (_work/gpu_counts) and made where they are missing, which takes
some ten minutes of one core; --before has those of another state. Prints the tables of docs/gpu.md, "Predicted".
"""
import argparse
import math
import os
import re
import subprocess
import sys

import sass

# ---- the machine: NVIDIA H100 Tensor Core GPU datasheet and architecture white paper (H100 SXM5)
MEMORY_B_S = 3.35e12
MULTIPROCESSORS, SCHEDULERS = 132, 4  # a scheduler issues an instruction of a warp a clock
CLOCK_HZ = 1.755e9  # between base and the 1.98 GHz that 67 TFLOPS of float32 come to
PCIE_B_S = 64e9  # PCIe 5 x16, one direction
CORES, MATCHERS = 16, 8
# ---- assumed, each of which a measurement can refute
OF_MEMORY, OF_ISSUE, OF_PCIE = 0.85, 0.5, 0.86  # what of it kernels get that read in order, that few warps issue, that copies get
CALL_S, WAIT_S, STEP_S = 2.5e-6, 20e-6, 2.5e-6  # a call of CUDA, a thread woken by an event, one operation after another
LATENCY_CLOCKS = 700  # of a load from memory
COPY_B_S = 10e9  # one core
# ---- one core of the machine of docs/performance.md: moments of a pixel, the judge's part of a pair
PREPARE_S_PX = 2e-3 / 13e6
JUDGE_S = {"stitch2d": 41e-6, "align3d": 70e-6, "sweep": 156e-6}


class Preset:
    """Geometry as gpu/layout.c has it. `runs`: pairs of the runs that are counted, and options."""

    def __init__(self, name, image, template, templates, pixel, half, runs, *options):
        self.name, self.templates, self.pixel, self.runs, self.options = name, templates, pixel, runs, options
        (self.rows, self.cols), (self.m, self.n) = image, template
        self.search, least = [], []
        for size, t in zip(image, template):
            first, last = ((t // 2, size + t - 2 - t // 2) if half else (0, size + t - 2))
            self.search.append(last - first + 1)
            least.append(max(size + t - 1 - first, last + 1, size))
        self.radix = 4 if least[0] > 2048 else 2 if least[0] > 1024 else 1
        self.length, self.half = smooth(least[0], max(2, self.radix)), -(-(smooth(least[1], 2) // 2 + 1) // 8) * 8
        self.spectrum = 8 * self.length * self.half  # bytes
        self.batch = 64
        while self.batch > 1 and self.batch * self.spectrum > 1 << 30:
            self.batch //= 2
        self.batches, left = [], templates
        while left:
            unit, n = 1, min(left, self.batch)
            while n // unit >= 8:
                unit *= 2
            self.batches.append(n // unit * unit)
            left -= self.batches[-1]


def smooth(least, unit):
    """The shortest multiple of it of factors 2, 3, 5 and 7."""
    n = -(-least // unit) * unit
    while True:
        rest = n
        for factor in (2, 3, 5, 7):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += unit


PRESETS = [Preset("stitch2d", (681, 782), (340, 391), 5, 1, False, (20, 200), "--matchers", "4"),
           Preset("align3d", (3600, 3600), (442, 442), 1, 4, True, (4, 8), "--matchers", "4"),
           Preset("sweep", (3600, 3600), (442, 442), 168, 4, True, (16, 21), "--matchers", "1")]

# ---- what a stage costs: bytes of memory and instructions of warps -------------------------------------------------


class Stage:
    def __init__(self, name, bytes_, instructions=0.0, chain_clocks=0.0):
        self.name, self.bytes, self.instructions, self.chain_s = name, bytes_, instructions, chain_clocks / CLOCK_HZ

    def seconds(self):
        issue = MULTIPROCESSORS * SCHEDULERS * CLOCK_HZ * OF_ISSUE
        return max(self.bytes / (MEMORY_B_S * OF_MEMORY), self.instructions / issue, self.chain_s)

    def __str__(self):
        by = "" if self.seconds() == self.bytes / (MEMORY_B_S * OF_MEMORY) else ", latency" if self.seconds() == self.chain_s else ", issue"
        instructions = f", {self.instructions / 1e6:,.1f} M" if self.instructions else ""
        return f"{self.bytes / 1e6:,.1f} MB{instructions}, {self.seconds() * 1e6:,.1f} µs{by}"


def writing(kernel, width):
    """Of the loops that store so many bytes at once, the dearest a store."""
    found = [loop.cost for loop in kernel.loops() if width in loop.cost.stores]
    return max(found, key=lambda cost: cost.instructions / cost.stores[width])


def of_type(kernel, pixel):
    """Of the loops that store 16 bytes at once, the dearest for pixels of so many bytes."""
    found = [loop.cost for loop in kernel.loops() if pixel in loop.cost.loads and 16 in loop.cost.stores]
    return max(found, key=lambda cost: cost.instructions)


def warps(n):
    return 4 * math.ceil(n / 128)  # of blocks of 128 threads


def transforms(p, rows, count):
    """Rows of one direction, and columns of one; each read and written once."""
    return Stage("rows", 16 * rows * p.half * count), Stage("columns", 2 * p.spectrum * count)


def pack(p, kernels, rows, cols, count):
    cost = of_type(kernels["pack_kernel"], p.pixel)
    n = warps(p.half / 2) * rows * count
    return Stage("pack", (p.pixel * cols + 8 * p.half) * rows * count, n * (kernels["pack_kernel"].whole.cost.instructions + cost.instructions))


def image_stages(p, kernels):
    """Of an image, for all of its templates."""
    search_rows, search_cols = p.search
    width, block = search_cols + p.n - 1, max(64, min(256, p.m))
    blocks, area = math.ceil(search_rows / block), search_rows * width
    segment = -(-max(p.n, 128) // p.n) * p.n
    down, across = of_type(kernels["columns_kernel"], p.pixel), writing(kernels["segments_kernel"], 16)
    fill = max((loop.cost for loop in kernels["columns_kernel"].loops() if p.pixel in loop.cost.loads and not loop.cost.stores), key=lambda cost: cost.instructions)
    ssd = writing(kernels["ssd_kernel"], 4)
    turns = block + p.m
    of_thread = p.m / fill.loads[p.pixel] * fill.instructions + block / down.stores[16] * down.instructions
    rows, columns = transforms(p, p.rows, 1)
    stages = [Stage("upload", p.pixel * p.rows * p.cols), pack(p, kernels, p.rows, p.cols, 1),
              Stage("zero rows", 8 * p.half * (p.length - p.rows)), rows, columns,
              Stage("column sums", (2 * turns / block * p.pixel + 16) * area, warps(width) * blocks * of_thread,
                    turns / down.stores[16] * LATENCY_CLOCKS),
              Stage("row sums", 32 * area, math.ceil(width / segment) * search_rows * 4 * math.ceil(segment / 128) * across.instructions / across.stores[16]),
              Stage("ssd", (16 + 4) * search_rows * search_cols,  # a row of sums is read twice, the second time from a cache
                    warps(search_cols) * search_rows * (kernels["ssd_kernel"].whole.cost.instructions + ssd.instructions / ssd.stores[4]))]
    return stages  # and passes that look for flat windows, which return at once


def batch_stages(p, kernels, count):
    """Of a batch of templates."""
    search_rows, search_cols = p.search
    multiply, template, tile = kernels[sass.MULTIPLY[p.radix]], *sass.bounds(kernels)
    row = max((loop.cost for loop in multiply.whole.inner), key=lambda cost: cost.instructions)
    point = max((loop.cost for outer in multiply.whole.inner for loop in outer.inner), key=lambda cost: cost.instructions)
    tiles, groups = math.ceil(search_rows / 32) * math.ceil((search_cols + 3) / 32), math.ceil(count / 8)
    listed = kernels["list_kernel"]
    a_tile = sum(32 * loop.cost.instructions for outer in listed.whole.inner for loop in outer.inner[:1])
    forward, columns = transforms(p, p.m, count)
    back, again = transforms(p, search_rows, count)
    return [Stage("upload", p.pixel * p.m * p.n * count), pack(p, kernels, p.m, p.n, count),
            Stage("zero rows", 8 * p.half * (p.length - p.m) * count), Stage("rows forward", forward.bytes), Stage("columns forward", columns.bytes),
            Stage("multiply", p.spectrum * (2 * count + 1),
                  warps(p.half / 2) * p.length / p.radix *
                  (multiply.whole.cost.instructions + row.instructions + count * point.instructions / templates_of(point, p.radix))),
            Stage("columns inverse", again.bytes), Stage("rows inverse", back.bytes),
            Stage("bounds", tiles * (4096 * (count + groups) + 4 * count),
                  tiles * (groups * tile.instructions + count * template.instructions)),
            Stage("list", 4 * tiles * count, count * (math.ceil(tiles / 32) * listed.whole.cost.instructions + a_tile))]


def templates_of(cost, radix):
    """Templates of a turn: of each so many points are read, and where its spectrum is kept."""
    return cost.loads[16] / (radix + 1)


def sum_of(stages, what):
    return sum(getattr(stage, what) for stage in stages)


# ---- what the stand-in has counted ---------------------------------------------------------------------------------

CALLS = re.compile("cudaLaunchKernel|cudaMem(cpy|set).*|cudaEvent(Record|Synchronize)|cudaStreamWaitEvent|cufft(Exec.*|Set(WorkArea|Stream))|cudaMemGetInfo")


def run_counts(bench, folder, preset, pairs):
    """{name: n} of a run, and the pairs it did."""
    counts, said = (os.path.join(folder, f"{kind}.{preset.name}.{pairs}") for kind in ("counts", "said"))
    if not os.path.exists(said):
        few = ["--templates", str(pairs)] if preset.templates > 8 else []
        command = [bench, "--preset", preset.name, "--pairs", str(pairs), "--streams", "2", *preset.options, *few]
        environment = {**os.environ, "CUDA_HOST_COUNT": counts, "CUDA_HOST_MEMORY": str(12 << 30), "CUDA_HOST_SCHEDULE": "early"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        with open(said, "w", encoding="utf-8") as file:
            file.write(done.stdout)
    with open(counts, encoding="ascii") as file:
        found = {name: int(n) for name, n in map(str.split, file)}
    with open(said, encoding="utf-8") as file:
        did = int(re.search(r", of (\d+)", file.read())[1])
    found["calls"] = sum(n for name, n in found.items() if CALLS.fullmatch(name))
    found["operations"] = found["cudaLaunchKernel"] + sum(n for name, n in found.items() if name.startswith("cufftExec"))
    return found, did


def per_pair(bench, folder, preset):
    """{name: n} a pair, beginnings left out: what a longer run has more than a shorter one. Of a sweep, an image's batches."""
    (less, n0), (more, n1) = (run_counts(bench, folder, preset, pairs) for pairs in preset.runs)
    rise = {name: more[name] - less.get(name, 0) for name in more}
    if preset.templates > 8:  # `less` has an image and one batch, `more` one batch more
        batches = {name: len(preset.batches) for name in more} | {name: preset.templates / (n1 - n0) for name in ("bytes_in", "bytes_out")}
        first = {name: n0 / (n1 - n0) if name.startswith("bytes") else 1 for name in more}  # batches in `less`
        return {name: (max(0, less[name] - first[name] * rise[name]) + batches[name] * rise[name]) / preset.templates for name in more}
    return {name: n / (n1 - n0) for name, n in rise.items()}


ROWS = [("waits for events", "cudaEventSynchronize", "{:.2f}"), ("kernels launched", "cudaLaunchKernel", "{:.1f}"),
        ("kernels and transforms", "operations", "{:.1f}"), ("calls that enqueue, order or wait", "calls", "{:.1f}"),
        ("steps that need the one before", "chain", "{:.1f}"), ("bytes copied in", "bytes_in", "{:,.0f}"), ("bytes copied out", "bytes_out", "{:,.0f}")]


def tell_counts(counts, before):
    columns = [f"{p.name}{' before' if which else ''}" for p in PRESETS for which in ((1, 0) if before else (0,))]
    print("\n| a pair | " + " | ".join(f"`{name}`" if " " not in name else "`{}` {}".format(*name.split()) for name in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for words, name, form in ROWS:
        cells = []
        for p in PRESETS:
            cells += [form.format(before[p.name][name])] if before else []
            cells += [form.format(counts[p.name][name])]
        print(f"| {words} | " + " | ".join(cells) + " |")


# ---- rates ---------------------------------------------------------------------------------------------------------


def limits(p, kernels, count):
    """Pairs a second that each of these allows by itself."""
    image = image_stages(p, kernels)
    batches = [stage for n in p.batches for stage in batch_stages(p, kernels, n)]
    stages = image + batches
    # Column sums wait for memory most of the time: beside other images' work only their bytes and instructions count.
    alone_s = sum(stage.seconds() for stage in stages) / p.templates
    beside_s = sum(Stage("", stage.bytes, stage.instructions).seconds() for stage in stages) / p.templates
    pixels = (p.rows * p.cols + p.templates * p.m * p.n) / p.templates
    prepare_s, copy_s = pixels * PREPARE_S_PX, count["bytes_in"] / COPY_B_S
    host_s = prepare_s + 2 * copy_s + JUDGE_S[p.name] + count["calls"] * CALL_S  # read, and copied to where the device reads
    threads = CORES / MATCHERS
    steps = count["chain"] * int(p.options[-1])  # of one matcher: those that were counted went side by side
    upload_s = count["bytes_in"] / (PCIE_B_S * OF_PCIE)
    cycle_s = ((prepare_s + copy_s + JUDGE_S[p.name]) / threads + upload_s + alone_s + steps * STEP_S + count["calls"] * CALL_S +
               count["cudaEventSynchronize"] * WAIT_S)
    return {"the GPU's memory and schedulers": 1 / beside_s, "PCIe": 1 / upload_s, f"{CORES} cores": CORES / host_s,
            f"{MATCHERS} matchers, each in turn": MATCHERS / cycle_s, "calls of one context": 1 / (count["calls"] * CALL_S)}


def tell_stages(kernels):
    """Of an image and of its first batch: megabytes, millions of instructions of warps, microseconds, and what sets them."""
    print("\n| | " + " | ".join(f"`{p.name}`" for p in PRESETS) + " |\n|---" + "|---" * len(PRESETS) + "|")
    print("| spectrum, searched, batch | " + " | ".join(f"{p.length} x {p.half}, {p.search[0]} x {p.search[1]}, {p.batches[0]}" for p in PRESETS) + " |")
    for words, of in (("**an image**", image_stages), ("**a batch**", batch_stages)):
        tables = [of(p, kernels, *([p.batches[0]] if of is batch_stages else [])) for p in PRESETS]
        for stages in zip(*tables):
            print(f"| {stages[0].name} | " + " | ".join(map(str, stages)) + " |")
        print(f"| {words} | " + " | ".join(f"**{sum_of(stages, 'bytes') / 1e6:,.0f} MB, {sum_of(stages, 'instructions') / 1e6:,.1f} M, "
                                           f"{sum(stage.seconds() for stage in stages) * 1e6:,.0f} µs**" for stages in tables) + " |")


def tell_rates(kernels, counts):
    print("\n| pairs/s | " + " | ".join(f"`{p.name}`" for p in PRESETS) + " |\n|---" + "|---" * len(PRESETS) + "|")
    found = [limits(p, kernels, counts[p.name]) for p in PRESETS]
    for name in found[0]:
        print(f"| {name} | " + " | ".join(f"{limit[name]:,.0f}" for limit in found) + " |")
    print("| **predicted** | " + " | ".join(f"**{min(limit.values()):,.0f}** ({min(limit, key=limit.get)})" for limit in found) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", default=os.path.join(sass.HERE, "build-cuda-host", "bench", "bench_gpu"))
    parser.add_argument("--counts", default=os.path.join(sass.HERE, "_work", "gpu_counts"))
    parser.add_argument("--before")
    parser.add_argument("--architecture", default="90")
    options = parser.parse_args()
    for tool, path in zip(("nvcc", "nvdisasm"), sass.tools()):
        if not path:
            sys.exit(f"gpu_predict.py: no {tool}")
    os.makedirs(options.counts, exist_ok=True)
    kernels, _ = sass.kernels(options.architecture)
    counts = {p.name: per_pair(options.bench, options.counts, p) for p in PRESETS}
    before = options.before and {p.name: per_pair(options.bench, options.before, p) for p in PRESETS}
    tell_counts(counts, before)
    tell_stages(kernels)
    tell_rates(kernels, counts)


if __name__ == "__main__":
    main()
