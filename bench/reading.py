#!/usr/bin/env python3
"""Does reading keep up? Runs on files that are out of the system's cache, against the better of two bounds.

    bench/reading.py --program build/mpixcorr [--folder _work/bench/reading] [--images 700] [--json FILE]
    bench/reading.py --program build/mpixcorr --dtypes u8z,u8h --modes all --read-threads 2 --images 300

For float32 and 8-bit pixels (the same values) and --read all and root, on 2 ranks of a thread each: elapsed_s of the
run's report beside max(reading alone, (processor seconds of computing + of reading) / cores). Inputs are made once, and
evicted by posix_fadvise before each run and before reading alone; --memory is so small that read-ahead holds a
fraction of the file. With --dtypes u8z the same tiles are deflated chunks that are named (read and decoded by
--read-threads), with u8h by HDF5's own filters; reading alone is then a run that searches windows of 3 x 3 positions.

All ways take turns in rounds, ratios are of one round, and a line has the medians: of elapsed_s over the bound; of the
same, times the part of the machine's core seconds that "others" (all else on it, the system included) left to the run;
and of all processor seconds of the ranks and their launcher over those of computing and reading.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import h5py
import numpy as np

LAUNCHER = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
          "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
BLOCK_BYTES = 8 << 20


def make_inputs(program, folder, images):
    """8-bit tiles, and the same values as float32."""
    paths = {"u8": os.path.join(folder, f"tiles_{images}_u8.h5"), "f32": os.path.join(folder, f"tiles_{images}_f32.h5")}
    if not os.path.exists(paths["u8"]):
        subprocess.run([program, "generate", paths["u8"], "--preset", "stitch2d", "--images", str(images), "--dtype", "u8",
                        "--overwrite"], check=True)
    if not os.path.exists(paths["f32"]):
        part = paths["f32"] + ".new"
        with h5py.File(paths["u8"], "r") as source, h5py.File(part, "w") as target:
            for name in ("images", "templates"):
                planes = source[name]
                copy = target.create_dataset(name, planes.shape, "f4")
                for i in range(len(planes)):
                    copy[i] = planes[i]
            target["pairs"] = source["pairs"][()]
        os.rename(part, paths["f32"])
    return paths


def make_deflated(paths, images):
    """The tiles of u8 as deflated chunks, by HDF5's filters and by name, and both with windows that need little work."""
    base = paths["u8"][:-len("u8.h5")]
    paths |= {name: f"{base}{name}.h5" for name in ("u8h", "u8z", "u8h_alone", "u8z_alone")}
    if os.path.exists(paths["u8z_alone"]):
        return
    with h5py.File(paths["u8"], "r") as source, h5py.File(paths["u8h"], "w") as target:
        planes = source["images"]
        target.create_dataset("images", data=planes[()], chunks=(1, *planes.shape[1:]), compression="gzip")
        templates, pairs = source["templates"][()], source["pairs"][()]
        offsets = source["expected/coords"][()] - np.array(templates.shape[1:]) + 1
        target["templates"], target["pairs"] = templates, pairs
    near = np.concatenate([offsets, np.ones_like(offsets)], 1)
    for name in ("u8z", "u8h_alone", "u8z_alone"):
        with h5py.File(paths[name], "w") as target:
            if name.startswith("u8z"):
                file = os.path.basename(paths["u8h"])
                target["images"] = np.array([f"{file}/images[{i}]".encode() for i in range(images)])
                target["images"].attrs["dtype"] = "u8"
                target["image_shapes"] = np.array([planes_shape(paths["u8h"])] * images)
            else:
                target["images"] = h5py.ExternalLink(os.path.basename(paths["u8h"]), "/images")
            target["templates"], target["pairs"] = templates, pairs
            if name.endswith("alone"):
                target["near"] = near


def planes_shape(path):
    with h5py.File(path, "r") as file:
        return file["images"].shape[1:]


def evict(path):
    """Writes the file's pages back and drops them from the system's cache."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def read_file(path):
    """Seconds of reading the file from its begin to its end, out of the cache."""
    evict(path)
    buffer = bytearray(BLOCK_BYTES)
    fd = os.open(path, os.O_RDONLY)
    started = time.monotonic()
    while os.readv(fd, [buffer]) > 0:
        pass
    elapsed = time.monotonic() - started
    os.close(fd)
    return elapsed


def run(program, path, read, memory, ranks, threads=0):
    """A run's report."""
    output, report = path + ".out", path + ".json"
    command = ["mpirun", "-n", str(ranks), program, "run", path, output, "--overwrite", "--progress", "none", "--threads", "1",
               "--read", read, "--memory", memory, "--report", report]
    command += ["--read-threads", str(threads)] if threads else []
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **LAUNCHER})
    with open(report, encoding="utf-8") as file:
        told = json.load(file)
    with h5py.File(output, "r") as file:
        told["result"] = {name: file[name][()].tobytes() for name in ("coords", "peaks", "status")}
    os.remove(output)
    os.remove(report)
    return told


def busy_s():
    """Core seconds that the whole machine has worked, by user, nice, system, interrupts and other machines; and those
    that were children's of this process."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (sum(ticks[:3]) + sum(ticks[5:8])) / os.sysconf("SC_CLK_TCK"), own.ru_utime + own.ru_stime


def measure(program, path, read, memory, ranks, cores, threads):
    for name in os.listdir(os.path.dirname(path)): # the pixels may be another file's
        evict(os.path.join(os.path.dirname(path), name))
    all_before, own_before = busy_s()
    started = time.monotonic()
    told = run(program, path, read, memory, ranks, threads)
    wall_s = time.monotonic() - started
    all_after, own_after = busy_s()
    cpu = {name: seconds["mean"] * ranks for name, seconds in told["cpu_seconds"].items()}
    return told, {"elapsed_s": told["elapsed_s"], "cpu_s": cpu, "own_cpu_s": own_after - own_before, "wall_s": wall_s,
                  "cpu_bound_s": (cpu["computing"] + cpu["reading"]) / min(cores, ranks),
                  "others_cpu_s": max(all_after - all_before - (own_after - own_before), 0),
                  "waiting_s": told["seconds"]["waiting"]["mean"],
                  "bytes_read": told["bytes_read"], "bytes_shipped": told["bytes_shipped"],
                  "pixel_bytes_peak": told["pixel_bytes_peak"], "cache_hits": told["cache_hits"]}


def one_round(options, paths, cores, answers):
    """Rows of each way once."""
    rows = []
    for dtype in options.dtypes.split(","):
        alone = {"elapsed_s": 0, "cpu_s": {"reading": 0}}
        if dtype + "_alone" in paths:
            alone = measure(options.program, paths[dtype + "_alone"], "all", options.memory, options.ranks, cores, options.read_threads)[1]
        else:
            alone["elapsed_s"] = read_file(paths[dtype])
        for read in options.modes.split(","):
            told, r = measure(options.program, paths[dtype], read, options.memory, options.ranks, cores, options.read_threads)
            answers.add(tuple(told["result"].values()))
            r |= {"dtype": dtype, "read": read, "alone_s": alone["elapsed_s"], "alone_cpu_s": alone["cpu_s"]["reading"]}
            r["bound_s"] = max(r["alone_s"], r["cpu_bound_s"])
            r["ratio"] = r["elapsed_s"] / r["bound_s"]
            r["ratio_less_others"] = r["ratio"] * (1 - r["others_cpu_s"] / cores / r["wall_s"])
            r["ratio_cpu"] = r["own_cpu_s"] / (r["cpu_s"]["computing"] + r["cpu_s"]["reading"])
            rows.append(r)
    return rows


def show(rows):
    """A line of one way: medians of its rounds."""
    def median(of):
        return statistics.median(of(r) for r in rows)
    r = rows[0]
    print(f"{r['dtype']:6}  {r['read']:5} {median(lambda r: r['elapsed_s']):9.2f} {median(lambda r: r['bound_s']):8.2f}"
          f" {median(lambda r: r['ratio']):7.3f} {median(lambda r: r['ratio_less_others']):11.3f} {median(lambda r: r['ratio_cpu']):9.3f}"
          f" {median(lambda r: r['alone_s']):8.2f} {median(lambda r: r['cpu_s']['computing']):9.2f} + {median(lambda r: r['cpu_s']['reading']):<8.2f}"
          f" {median(lambda r: r['alone_cpu_s']):8.2f} {median(lambda r: r['others_cpu_s']):7.2f} {median(lambda r: r['waiting_s']):8.2f}"
          f"   {r['bytes_read'] >> 20} / {r['bytes_shipped'] >> 20} / {r['pixel_bytes_peak'] >> 20}   {r['cache_hits']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/mpixcorr")
    parser.add_argument("--folder", default="_work/bench/reading")
    parser.add_argument("--images", type=int, default=700)
    parser.add_argument("--memory", default="600MiB")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--modes", default="all,root")
    parser.add_argument("--dtypes", default="f32,u8", help="of f32, u8, u8z, u8h")
    parser.add_argument("--read-threads", type=int, default=0, help="of a rank; 0: as the program chooses")
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--prepare", action="store_true", help="make the inputs and FFT plans, measure nothing")
    parser.add_argument("--json")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    cores, answers = len(os.sched_getaffinity(0)), set()
    paths = make_inputs(options.program, options.folder, options.images)
    if "u8z" in options.dtypes or "u8h" in options.dtypes:
        make_deflated(paths, options.images)
    if options.prepare:
        run(options.program, paths["u8"], "all", options.memory, options.ranks)
        return
    rounds = [one_round(options, paths, cores, answers) for _ in range(options.repeat)]
    print("pixels  read   elapsed_s  bound_s   ratio  less_others  cpu_ratio alone_s computing + reading cpu_s  alone_cpu_s others waiting_s"
          "  MiB read / shipped / held  hits")
    ways = list(zip(*rounds))
    for rows in ways:
        show(rows)
    named, by_hdf5 = ([r for rows in ways for r in rows if r["dtype"] == dtype] for dtype in ("u8z", "u8h"))
    if named and by_hdf5:
        print("where decoding is the limit, HDF5's own filters take" + ",".join(
            f" {statistics.median(b[what] / a[what] for a, b in zip(named, by_hdf5)):.2f} times {words}"
            for what, words in (("alone_s", "as long"), ("alone_cpu_s", "the processor time"))))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"cores": cores, "ranks": options.ranks, "memory": options.memory, "rounds": rounds}, file, indent=1)
    if len(answers) != 1:
        sys.exit("results differ between pixel types or ways of reading")


main()
