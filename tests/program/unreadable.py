#!/usr/bin/env python3
"""Pixels that cannot be read make their pairs `unreadable`, and nobody else's; bad pairs that are skipped are `invalid`;
both end with exit 6. Rows that hold no pair are `invalid` too, but end with exit 0."""
import json
import os
import subprocess
import sys
import tempfile

from launch import MPIEXEC, MPIXCORR, h5py, launch, np

def damage(path, dataset):
    """Overwrites the compressed bytes of a dataset's only chunk."""
    with h5py.File(path, "r") as file:
        chunk = file[dataset].id.get_chunk_info(0)
    with open(path, "r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * chunk.size)


def no_pair_is_no_error():
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory() as folder:
        input, output = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
        for pairs, options, code in (([(0, 0), (-1, -1), (0, -1)], [], 0),
                                     ([(0, 0), (-1, -1), (0, 9)], ["--on-bad-pair", "skip"], 6)):
            with h5py.File(input, "w") as file:
                file["images"] = rng.integers(0, 255, (1, 20, 20), "u1")
                file["templates"] = rng.integers(0, 255, (1, 6, 6), "u1")
                file["pairs"] = np.array(pairs)
            command = [MPIEXEC, "-n", "2", MPIXCORR, "run", input, output, "--overwrite"] + options
            done = launch(command)
            assert done.returncode == code, (pairs, done.returncode, done.stdout, done.stderr)
            with h5py.File(output, "r") as file:
                assert file["status"][()].tolist() == [1, 6, 6], file["status"][()]
                assert (file["coords"][1:] == -1).all() and np.isnan(file["peaks"][1:]).all()


def main():
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        input, output = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
        with h5py.File(input, "w") as file:
            for i in range(6):
                file.create_dataset(f"images/{i}", data=rng.integers(0, 255, (40, 50), "u1"), compression="gzip")
            for i in range(9):
                file.create_dataset(f"templates/{i}", data=rng.integers(0, 255, (9, 8), "u1"), compression="gzip")
            pairs = np.array([(i, t) for i in range(6) for t in range(9)] + [(-1, -1)])
            file["pairs"] = pairs
        command = ["run", input, output, "--overwrite", "--progress", "none"]
        subprocess.run([MPIXCORR] + command, check=True, stdout=subprocess.DEVNULL)
        with h5py.File(output, "r") as file:
            whole = {name: file[name][()] for name in ("coords", "peaks", "status")}
        damage(input, "images/2")
        damage(input, "templates/7")
        report = os.path.join(folder, "report.json")
        hit = (pairs[:, 0] == 2) | (pairs[:, 1] == 7)
        for ranks, read in ((1, "root"), (3, "root"), (2, "all")):
            done = launch([MPIEXEC, "-n", str(ranks), MPIXCORR] + command + ["--read", read, "--report", report])
            where = f"{ranks} ranks, --read {read}"
            for name in ("/images: id 2", "/templates: id 7"):  # file, object and reason, once, whichever ranks have tried
                told = [line for line in done.stdout.splitlines() if name in line]
                if len(told) != 1 or input not in told[0]:
                    sys.exit(f"{where}: {name} is told by {told}: {done.stdout}")
            lines = [line for line in done.stderr.splitlines() if line.startswith("mpixcorr: ")]
            if done.returncode != 6 or lines:
                sys.exit(f"{where}: exit {done.returncode}, expected 6: {done.stdout}{done.stderr}")
            told = json.load(open(report, encoding="utf-8"))
            assert told["unreadable"] == len(told["unreadable_reasons"]) == 2, (where, told)
            with h5py.File(output, "r") as file:
                status, coords, peaks = file["status"][()], file["coords"][()], file["peaks"][()]
            assert (status[hit] == 4).all() and (coords[hit] == -1).all() and np.isnan(peaks[hit]).all(), where
            assert (status[~hit] == whole["status"][~hit]).all(), where
            assert (coords[~hit] == whole["coords"][~hit]).all(), where
            assert peaks[~hit].tobytes() == whole["peaks"][~hit].tobytes(), where


main()
no_pair_is_no_error()
