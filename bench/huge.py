#!/usr/bin/env python3
"""Sections of 100,000 x 100,000 pixels, and 10^6 names of files: what is read, how soon a run starts, and in how much memory.

    bench/huge.py --program build/mpixcorr [--folder _work/bench/huge] [--parts grid,names] [--side 100000] [--names 1000000]

grid: patches every 100 pixels of a Zarr array, sought in another, both of deflated chunks of 1024^2, 37 different ones that
are linked again and again; bytes read beside those of all chunk files, which windows reach. names: as many TIFF files,
links to 50, each an image, of which 1,000 have a pair; until OUTPUT.part is there, the start is over.
"""
import argparse
import json
import os
import subprocess
import time
import zlib

import h5py
import numpy as np

CHUNK = 1024
LAUNCHER = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_hwloc_base_binding_policy": "none"}


def texture(rows, cols, seed):
    """8-bit pixels that deflate somewhat, as EM images do."""
    noise = np.random.default_rng(seed).normal(0, 30, (rows + 2, cols + 2))
    smooth = sum(noise[y:y + rows, x:x + cols] for y in range(3) for x in range(3)) / 3
    return np.clip(128 + smooth, 0, 255).astype("u1")


def make_section(path, side):
    """@return bytes of its chunks' files."""
    n, total = -(-side // CHUNK), 0
    os.makedirs(path)
    with open(f"{path}/.zarray", "w", encoding="ascii") as file:
        json.dump({"zarr_format": 2, "shape": [side, side], "chunks": [CHUNK, CHUNK], "dtype": "|u1", "order": "C",
                   "fill_value": 0, "filters": None, "compressor": {"id": "zlib", "level": 1}}, file)
    packed = [zlib.compress(texture(CHUNK, CHUNK, seed).tobytes(), 1) for seed in range(37)]
    for i in range(n * n):
        chunk, first = f"{path}/{i // n}.{i % n}", i % len(packed)
        if i < len(packed):
            with open(chunk, "wb") as file:
                file.write(packed[first])
        else:
            os.link(f"{path}/{first // n}.{first % n}", chunk)
        total += len(packed[first])
    return total


def run(options, name, *more):
    """@return (report, seconds until OUTPUT.part was there, largest MiB that a rank had in memory)."""
    output, report = f"{options.folder}/{name}_out.h5", f"{options.folder}/{name}.json"
    for path in (output, output + ".part"):
        if os.path.exists(path):
            os.remove(path)
    started, began, ended = time.monotonic(), 0, 0
    process = subprocess.Popen(["mpirun", "-n", "2", options.program, "run", f"{options.folder}/{name}.h5", output, "--threads", "1",
                                "--progress", "none", "--report", report, *more], stdout=subprocess.DEVNULL,
                               env={**os.environ, **LAUNCHER})
    while not ended:
        time.sleep(0.01)
        if not began and os.path.exists(output + ".part"):
            began = time.monotonic() - started
        ended, code, used = os.wait4(process.pid, os.WNOHANG)
    assert code == 0, f"{name}: exit {code}"
    with open(report, encoding="utf-8") as file:
        return json.load(file), began, used.ru_maxrss >> 10


def grid(options):
    folder = options.folder
    if not os.path.exists(f"{folder}/a.zarr"):
        for section in "ab":
            make_section(f"{folder}/{section}.zarr", options.side)
    total = sum(entry.stat().st_size for section in "ab" for entry in os.scandir(f"{folder}/{section}.zarr"))
    with open(f"{folder}/pairs.csv", "w", encoding="ascii") as file:
        file.write("template,image,dy,dx\nb.zarr,a.zarr,3,-5\n")
    subprocess.run([options.program, "grid", f"{folder}/pairs.csv", f"{folder}/grid.h5", "--patch", "160,160", "--step", "100,100",
                    "--radius", "16", "--overwrite"], check=True)
    told, _, peak = run(options, "grid", "--memory", "2GiB")
    with h5py.File(f"{folder}/grid_out.h5") as file, h5py.File(f"{folder}/grid.h5") as asked:
        right = (file["offsets"][()] == asked["templates"][()][asked["pairs"][()][:, 1], 1:3]).all(1)
    print(f"grid: {told['pairs']} pairs in {told['elapsed_s']:.0f} s, {told['bytes_read'] / 1e9:.2f} GB read of chunks of {total / 1e9:.2f}"
          f" GB: {told['bytes_read'] / total:.2f} times; {peak} MiB in a rank at most; {right.mean():.6f} of the offsets right")


def names(options):
    folder = options.folder
    if not os.path.exists(f"{folder}/tiles"):
        os.makedirs(f"{folder}/tiles")
        for i in range(options.names):
            path = f"{folder}/tiles/{i:07}.npy"
            if i < 50:
                np.save(path, texture(64, 64, i))
            else:
                os.link(f"{folder}/tiles/{i % 50:07}.npy", path)
    every = max(options.names // 1000, 1)
    with h5py.File(f"{folder}/names.h5", "w") as file:
        file.create_dataset("images", data=np.array([f"tiles/{i:07}.npy".encode() for i in range(options.names)]), chunks=True,
                            compression="gzip")
        file["templates"] = np.stack([texture(64, 64, i)[20:40, 10:35] for i in range(50)])
        file["pairs"] = np.array([(i, i % 50) for i in range(0, options.names, every)])
    for shapes in (False, True):
        if shapes:
            with h5py.File(f"{folder}/names.h5", "a") as file:
                file["image_shapes"] = np.full((options.names, 2), 64)
                file["images"].attrs["dtype"] = "u8"
        told, began, peak = run(options, "names")
        print(f"{options.names} names, {'with' if shapes else 'without'} /image_shapes: {began:.1f} s until the work"
              f" began, {told['elapsed_s']:.1f} s in all, {peak} MiB in a rank at most, {told['status']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/mpixcorr")
    parser.add_argument("--folder", default="_work/bench/huge")
    parser.add_argument("--parts", default="grid,names")
    parser.add_argument("--side", type=int, default=100000)
    parser.add_argument("--names", type=int, default=1000000)
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    for part in options.parts.split(","):
        {"grid": grid, "names": names}[part](options)


main()
