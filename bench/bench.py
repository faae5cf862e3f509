#!/usr/bin/env python3
"""Measures mpixcorr beside its peers, on the same cores and inputs, and hands the numbers to render.py.

In the first round every setting of every program runs once; in the rounds after it mpixcorr and the best setting of
each peer take turns (A, B, A, B), and what counts is the median. mpixcorr's time is `elapsed_s` of its report: from
MPI_Init to MPI_Finalize, reading and writing included; a peer's time is that of the pure batch, pixels in memory.
File cache and planning cache are warm: a job runs once before it is measured, and its input is read through each time.
"""
import argparse
import datetime
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from facts import machine, versions

START = time.perf_counter()
ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
WORKLOADS = ["stitch2d", "align3d", "sweep"]

parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--quick", action="store_true", help="about 5 minutes with its builds: fewer pairs, one round, small sizes")
parser.add_argument("--trial", action="store_true", help="seconds, to see that it works: build/, the installed peers, small inputs")
parser.add_argument("--only", action="append", choices=[*WORKLOADS, "sizes", "count", "accuracy"],
                    help="only this part; may be repeated")
parser.add_argument("--rounds", type=int, help="default: 3; with --quick 1")
parser.add_argument("--publish", action="store_true", help="also put table, charts and numbers into docs/")
parser.add_argument("--render", action="store_true", help="measure nothing, render the last results again")


def say(text):
    print(f"[{time.perf_counter() - START:5.0f} s] {text}", flush=True)


class Input:
    """An input file, its crop, and the float64 truth, which is mpixcorr's answer once that is verified."""

    def __init__(self, name, path, crop, shape, templates_per_image):
        self.name, self.path, self.crop = name, path, crop
        self.shape, self.templates_per_image = shape, templates_per_image
        self.truth = None  # (coords, peaks)


class Bench:
    def __init__(self, options, work):
        import h5py
        import numpy

        self.h5py, self.np = h5py, numpy
        self.quick, self.trial = options.quick or options.trial, options.trial
        self.rounds = options.rounds or (1 if self.quick else 3)
        self.builds = {"fftw": ROOT / "build-bench", "mkl": ROOT / "build-bench-mkl"}
        if self.trial:
            self.builds = {"fftw": pathlib.Path(os.environ["MPIXCORR_BUILD"])}
        self.work = work
        (self.work / "inputs").mkdir(parents=True, exist_ok=True)
        self.cores = min(len(os.sched_getaffinity(0)), 2 if self.trial else 1 << 20)
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(self.work / "cache"))
        self.warmed = set()

    def have(self, program):
        """Whether it is at hand; a trial does without."""
        if program == "mpixcorr MKL":
            return "mkl" in self.builds
        needs = {"OpenCV": "cv2", "scikit-image": "skimage", "scipy MKL": "mkl_fft"}.get(program.partition(",")[0])
        return not self.trial or needs is None or importlib.util.find_spec(needs) is not None

    # ---- inputs -----------------------------------------------------------------------------------------------------

    def generate(self, preset, **options):
        words = [f"--{key}={value}" for key, value in options.items()]
        path = self.work / "inputs" / ("-".join([preset, *(word.strip("-").replace("=", "") for word in words)]) + ".h5")
        if not path.exists():
            return path, subprocess.Popen([self.builds["fftw"] / "mpixcorr", "generate", path, "--preset", preset, *words],
                                          stdout=subprocess.DEVNULL)
        return path, None

    def workload_inputs(self, names):
        """Inputs of the presets, made at once; --quick takes fewer pairs."""
        counts = {"stitch2d": {"images": 40 if self.quick else 400}, "align3d": {"images": 4 if self.quick else 160},
                  "sweep": {"templates": 21 if self.quick else 168}}
        shapes = {"stitch2d": (681, 782, 340, 391), "align3d": (3600, 3600, 442, 442), "sweep": (3600, 3600, 442, 442)}
        shared = {"stitch2d": 5, "align3d": 1, "sweep": counts["sweep"]["templates"]}
        if self.trial:
            shapes, shared = dict.fromkeys(shapes, (96, 112, 31, 37)), dict.fromkeys(shapes, 5)
        made = {name: self.generate("tiny") if self.trial else self.generate(name, **counts[name]) for name in names}
        inputs = {}
        for name, (path, process) in made.items():
            if process and process.wait() != 0:
                raise SystemExit(f"bench: generating {path} failed")
            crop = "0,0" if name == "stitch2d" else "half"
            inputs[name] = Input(name, path, crop, shapes[name], shared[name])
        return inputs

    def size_input(self, size, images):
        """Square images of smooth and of white noise, templates of an eighth of that side, five an image."""
        np, side, templates = self.np, size // 8, 5
        path = self.work / "inputs" / f"size-{size}-{images}.h5"
        found = Input(str(size), path, "0,0", (size, size, side, side), templates)
        if path.exists():
            return found
        random = np.random.default_rng(size)
        import scipy.fft

        partial = path.with_suffix(".tmp")
        frequency = np.hypot(scipy.fft.fftfreq(size)[:, None], scipy.fft.rfftfreq(size)[None, :])
        colour = (1 / (1 + (frequency * 12) ** 2)).astype(np.float32)
        with self.h5py.File(partial, "w") as file:
            stack = file.create_dataset("images", (images, size, size), "f4")
            cuts = file.create_dataset("templates", (images * templates, side, side), "f4")
            pairs, coords = [], []
            for i in range(images):
                white = random.standard_normal((size, size), dtype=np.float32)
                smooth = scipy.fft.irfft2(scipy.fft.rfft2(white) * colour, (size, size))
                image = smooth / smooth.std() + np.float32(0.3) * white
                stack[i] = image
                for k in range(templates):
                    y, x = random.integers(0, size - side + 1, 2)
                    noise = random.standard_normal((side, side), dtype=np.float32)
                    cuts[i * templates + k] = image[y : y + side, x : x + side] + np.float32(0.3) * noise
                    pairs.append((i, i * templates + k))
                    coords.append((y + side - 1, x + side - 1))
            file["pairs"] = np.array(pairs, "i8")
            file["expected/coords"] = np.array(coords, "i8")
        partial.rename(path)
        return found

    def part_of(self, whole, count):
        """An input of the first `count` pairs of another, whose pixels it links."""
        path = whole.path.with_name(f"{whole.path.stem}-first{count}.h5")
        if not path.exists():
            with self.h5py.File(whole.path) as source, self.h5py.File(path, "w") as file:
                for name in ("images", "templates"):
                    file[name] = self.h5py.ExternalLink(whole.path.name, f"/{name}")
                file["pairs"] = source["pairs"][:count]
        return Input(whole.name, path, whole.crop, whole.shape, whole.templates_per_image)

    # ---- one measurement ----------------------------------------------------------------------------------------

    def mpixcorr(self, source, fft, ranks, threads):
        """Seconds a pair, the answers, and the report."""
        output, report = self.work / "out.h5", self.work / "report.json"
        command = ["mpirun", "-n", str(ranks), "--bind-to", "none", str(self.builds[fft] / "mpixcorr"), "run", str(source.path),
                   str(output), "--overwrite", "--crop", source.crop, "--threads", str(threads), "--progress", "none",
                   "--report", str(report)]
        key = (source.path, fft)
        self.warm(source.path)
        for _ in range(1 if self.trial or key in self.warmed else 2):
            if not self.trial:
                self.warm_memory()
            done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"bench: {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
        self.warmed.add(key)
        facts = json.loads(report.read_text())
        with self.h5py.File(output) as file:
            answers = file["coords"][:], file["peaks"][:]
        return facts["elapsed_s"] / facts["pairs"], answers, facts

    @staticmethod
    def warm(path):
        """Brings a file into the file cache, from which some systems take what has not been used for minutes."""
        with open(path, "rb", buffering=0) as file:
            block = bytearray(1 << 24)
            while file.readinto(block):
                pass

    def warm_memory(self):
        """Uses memory and gives it back, as a peer's earlier batches have: on a virtual machine the first use of what no
        program has used for some seconds can take forty times as long."""
        self.np.empty(3 << 29, "u1").fill(1)

    def peer(self, source, method, cores, fft="pocketfft", pool="threads", pairs=0):
        seconds = 0.01 if self.trial else 0.4 if self.quick else 1.0
        command = [sys.executable, str(BENCH / "peers.py"), str(source.path), method, "--fft", fft, "--cores", str(cores),
                   "--pool", pool, "--crop", source.crop, "--seconds", str(seconds), "--pairs", str(pairs)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: {' '.join(command)}: exit {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)

    def floor(self, source, fft):
        """The FFT floor of the geometry with a library's transforms."""
        command = [self.builds[fft] / "bench" / "bench_floor", *map(str, source.shape), "--crop", source.crop, "--templates",
                   str(source.templates_per_image)]
        done = subprocess.run(command, check=True, env=self.environment, capture_output=True, text=True)
        return json.loads(done.stdout)

    # ---- truth ------------------------------------------------------------------------------------------------------

    def full_map(self, image, template, crop):
        """Peak of the whole float64 NCC map, by scipy's float64 transforms and exact enough window sums."""
        import scipy.signal

        np, (m, n) = self.np, template.shape
        image, template = image.astype(np.float64), template.astype(np.float64)
        image_mean = image.mean()
        deviation = template - template.mean()
        numerator = scipy.signal.fftconvolve(image, deviation[::-1, ::-1])

        def sums(a):
            running = np.zeros((a.shape[0] + 1, a.shape[1] + 1))
            np.cumsum(np.cumsum(a, axis=0), axis=1, out=running[1:, 1:])
            s = running[m:, n:] - running[:-m, n:] - running[m:, :-n] + running[:-m, :-n]
            return s[1:-1, 1:-1]

        padded = np.pad(image, [(m, m), (n, n)]) - image_mean  # changes no ssd, keeps the running sums small
        first = sums(padded)
        ssd = sums(padded * padded) - first * first / (m * n)
        norm = np.sqrt((deviation * deviation).sum())
        response = np.divide(numerator, np.sqrt(np.maximum(ssd, 1e-300)) * norm, where=ssd > 1e-9 * ssd.max(),
                             out=np.zeros_like(numerator))
        y0, x0 = (m // 2, n // 2) if crop == "half" else (0, 0)
        kept = response[y0 : response.shape[0] - y0, x0 : response.shape[1] - x0]
        y, x = np.unravel_index(np.argmax(kept), kept.shape)
        return (int(y) + y0, int(x) + x0), float(kept[y, x])

    def verify(self, source, answers, maps):
        """mpixcorr's answers against /expected and against whole float64 maps of the first pairs."""
        np = self.np
        coords, peaks = answers
        with self.h5py.File(source.path) as file:
            known, expected = np.zeros(len(coords), bool), coords
            if "expected" in file:
                expected = file["expected/coords"][:]
                known = expected[:, 0] >= 0
            right = int((coords[known] == expected[known]).all(axis=1).sum())
            peak_error = None
            if "expected/peaks" in file:
                peak_error = float(np.abs(peaks[known] - file["expected/peaks"][:][known]).max())
            same, map_error = 0, 0.0
            for row in range(maps):
                image, template = file["pairs"][row]
                at, value = self.full_map(self.pixels(file["images"], image), self.pixels(file["templates"], template),
                                          source.crop)
                same += int(at == tuple(coords[row]))
                map_error = max(map_error, abs(value - peaks[row]))
        source.truth = answers
        return {"expected": int(known.sum()), "expected_right": right, "expected_peak_error": peak_error, "maps": maps,
                "maps_right": same, "map_peak_error": float(map_error)}

    def pixels(self, objects, index):
        if isinstance(objects, self.h5py.Group):
            return next(objects[name] for name in objects if int(name) == index)[:]
        return objects[int(index)]

    def score(self, source, rows, coords, peaks):
        np = self.np
        true_coords, true_peaks = source.truth
        right = int((np.asarray(coords) == true_coords[rows]).all(axis=1).sum())
        return {"checked": len(rows), "right": right, "peak_error": float(np.abs(peaks - true_peaks[rows]).max())}

    # ---- a workload -------------------------------------------------------------------------------------------------

    def settings(self, name):
        """Every setting: (program, setting, cores, arguments)."""
        counts = sorted({1, *(2**k for k in range(1, 12) if 2**k <= self.cores), self.cores})
        grouped = name != "align3d"  # one template an image: nothing to group
        yield from (("mpixcorr", "FFTW" + (", ranks" if c > 1 and by == "ranks" else ", threads" if c > 1 else ""), c,
                     ("fftw", c if by == "ranks" else 1, 1 if by == "ranks" else c))
                    for c in counts for by in (("threads", "ranks") if c > 1 else ("threads",)))
        yield from (("mpixcorr MKL", "MKL" + (", threads" if c > 1 else ""), c, ("mkl", 1, c)) for c in counts)
        for fft, program in (("pocketfft", "scipy"), ("mkl", "scipy MKL")):
            for cores in sorted({1, self.cores}):
                methods = ["scipy", "scipy-grouped"] if grouped else ["scipy"]
                for method in methods:
                    pools = ["threads"]
                    if cores > 1 and fft == "pocketfft":
                        pools += ["processes"] if name == "stitch2d" else ["inside"] if method == methods[-1] else []
                    for pool in pools:
                        yield program, self.words(method, cores, pool), cores, (method, cores, fft, pool)
        for cores in sorted({1, self.cores}):
            yield "scipy, spectra kept", self.words("cached", cores, "threads"), cores, ("cached", cores)
            for pool in ["threads", "inside"] if cores > 1 else ["threads"]:
                yield "OpenCV", self.words("opencv", cores, pool), cores, ("opencv", cores, "pocketfft", pool)
            yield "scikit-image", self.words("skimage", cores, "threads"), cores, ("skimage", cores)

    @staticmethod
    def words(method, cores, pool):
        what = "grouped" if method in ("scipy-grouped", "cached") else "pair by pair"
        spread = {"threads": "threads over pairs", "processes": "processes over pairs", "inside": "threads inside"}
        return what if cores == 1 else f"{what}, {spread[pool]}"

    def workload(self, source):
        name = source.name
        runs = {}
        floors = {fft: [] for fft in self.builds}
        verified, last_report = None, None

        def measure(setting):
            nonlocal verified, last_report
            program, words, cores, arguments = setting
            run = runs.setdefault(setting, {"program": program, "setting": words, "cores": cores, "per_pair_s": []})
            if program.startswith("mpixcorr"):
                seconds, answers, facts = self.mpixcorr(source, *arguments)
                if source.truth is None:
                    verified = self.verify(source, answers, 1 if self.quick or source.shape[0] > 1000 else 2)
                rows = self.np.arange(len(answers[0]))
                run.update(self.score(source, rows, *answers), pairs=facts["pairs"], elapsed_s=facts["elapsed_s"])
                run["counters"] = facts["counters"]
                run["fft_library"] = facts["fft_library"]
            else:
                result = self.peer(source, *arguments)
                seconds = result["per_pair_s"]
                run.update(self.score(source, result["rows"], result["coords"], result["peaks"]), pairs=result["pairs"])
            run["per_pair_s"].append(seconds)
            say(f"{name}: {program} ({words}), {cores} core{'s' * (cores > 1)}: {1e3 * seconds:.2f} ms a pair")

        chosen = [setting for setting in self.settings(name) if self.have(setting[0])]
        for turn in range(self.rounds):
            if turn == 1:
                chosen = self.best(chosen, runs)
            for fft in floors:
                floors[fft].append(self.floor(source, fft))
            for setting in self.interleaved(chosen):
                measure(setting)
        result = {"input": source.path.name, "crop": source.crop, "shape": source.shape,
                  "templates_per_image": source.templates_per_image, "verified": verified,
                  "floor": {fft: self.median_floor(found) for fft, found in floors.items()}, "runs": []}
        for run in runs.values():
            run["median_s"] = float(self.np.median(run["per_pair_s"]))
            result["runs"].append(run)
        return result

    @staticmethod
    def best(settings, runs):
        """mpixcorr's settings and the best one of each peer at each number of cores; the slowest peer ran once."""
        kept = [s for s in settings if s[0].startswith("mpixcorr")]
        for program in ("scipy", "scipy MKL", "scipy, spectra kept", "OpenCV"):
            for cores in sorted({s[2] for s in settings}):
                rivals = [s for s in settings if s[0] == program and s[2] == cores]
                kept += [min(rivals, key=lambda s: runs[s]["per_pair_s"][0])] if rivals else []
        return kept

    @staticmethod
    def interleaved(settings):
        """mpixcorr and peers in turns."""
        ours = [s for s in settings if s[0].startswith("mpixcorr")]
        peers = [s for s in settings if not s[0].startswith("mpixcorr")]
        every = max(1, len(peers) // max(1, len(ours)))
        while ours or peers:
            yield from ours[:1]
            yield from peers[: every if len(ours) > 1 else None]
            ours, peers = ours[1:], peers[every if len(ours) > 1 else len(peers) :]

    @staticmethod
    def median_floor(found):
        return sorted(found, key=lambda floor: floor["pair_s"])[len(found) // 2]

    # ---- accuracy ---------------------------------------------------------------------------------------------------

    def accuracy(self):
        """How many coordinates are right on tiles that are less tame than the workloads'."""
        np, tiles = self.np, 2 if self.quick else 4

        def black_border(image):
            image[:, :150] = 0
            image[-90:] = 0
            return image

        def hot_pixel(image):
            image[image.shape[0] // 3, image.shape[1] // 3] = 3e7
            return image

        def high_offset(image):
            return image / image.std() + 1e4

        kinds = {"as generated, 8-bit": lambda image: image, "a black border": black_border,
                 "one hot pixel of 3e7": hot_pixel, "mean 10,000, deviation 1": high_offset,
                 "unit energy": lambda image: image / np.linalg.norm(image)}
        if self.trial:  # too small for the others
            kinds = {"as generated, 8-bit": kinds["as generated, 8-bit"]}
        path, process = self.generate("tiny") if self.trial else self.generate("stitch2d", images=tiles, seed=7)
        if process and process.wait() != 0:
            raise SystemExit(f"bench: generating {path} failed")
        rows = []
        for kind, change in kinds.items():
            changed = path.with_name(f"{path.stem}-{len(rows)}.h5")
            with self.h5py.File(path) as file, self.h5py.File(changed, "w") as out:
                stacks = {name: [self.pixels(file[name], i) for i in range(len(file[name]))]
                          for name in ("images", "templates")}
                if rows:  # the first kind stays 8-bit
                    scale = {"images": change, "templates": change if kind in ("mean 10,000, deviation 1", "unit energy")
                             else lambda template: template}
                    stacks = {name: [scale[name](pixels.astype(np.float64)).astype(np.float32) for pixels in stack]
                              for name, stack in stacks.items()}
                for name, stack in stacks.items():
                    out[name] = np.stack(stack)
                out["pairs"] = file["pairs"][:]
            source = Input(kind, changed, "0,0", (681, 782, 340, 391), 5)
            _, answers, facts = self.mpixcorr(source, "fftw", 1, self.cores)
            verified = self.verify(source, answers, 3)
            scores = {}
            for program, method in (("scipy", "scipy-grouped"), ("OpenCV", "opencv"), ("scikit-image", "skimage")):
                if not self.have(program):
                    continue
                result = self.peer(source, method, self.cores, pairs=len(answers[0]))
                scores[program] = self.score(source, result["rows"], result["coords"], result["peaks"])
            say(f"{kind}: " + ", ".join(f"{p} {s['right']} of {s['checked']}" for p, s in scores.items()))
            rows.append({"kind": kind, "pairs": len(answers[0]), "verified": verified, "scores": scores,
                         "second_tier": facts["counters"]["second_tier"],
                         "candidates_per_pair": facts["counters"]["candidates_per_pair"]})
        return rows

    # ---- sizes and counts -------------------------------------------------------------------------------------------

    def sizes(self):
        """One core, image sides from 256 to 8192."""
        images = {256: 4 if self.trial else 300, 512: 80, 1024: 20, 2048: 5, 4096: 2, 8192: 1}
        rows = []
        for size in [256] if self.trial else [256, 512, 1024] if self.quick else images:
            source = self.size_input(size, max(1, images[size] // (4 if self.quick else 1)))
            seconds = {"mpixcorr": []}
            for turn in range(min(2, self.rounds)):
                s, answers, _ = self.mpixcorr(source, "fftw", 1, 1)
                seconds["mpixcorr"].append(s)
                if turn == 0:
                    verified = self.verify(source, answers, 1 if size <= 2048 else 0)
                    if self.have("mpixcorr MKL"):
                        seconds["mpixcorr MKL"] = [self.mpixcorr(source, "mkl", 1, 1)[0]]
                    scores = {}
                    for program, method, fft in (("scipy", "scipy-grouped", "pocketfft"),
                                                 ("scipy MKL", "scipy-grouped", "mkl"), ("OpenCV", "opencv", "pocketfft"),
                                                 ("scikit-image", "skimage", "pocketfft")):
                        if not self.have(program) or (method == "skimage" and size > 2048):
                            continue
                        result = self.peer(source, method, 1, fft)
                        seconds[program] = [result["per_pair_s"]]
                        scores[program] = self.score(source, result["rows"], result["coords"], result["peaks"])
            row = {"size": size, "template": size // 8, "pairs": len(answers[0]), "verified": verified,
                   "floor_s": self.floor(source, "fftw")["pair_s"], "scores": scores,
                   "median_s": {program: float(self.np.median(s)) for program, s in seconds.items()}}
            say(f"size {size}: " + ", ".join(f"{p} {1e3 * s:.2f} ms" for p, s in row["median_s"].items()))
            rows.append(row)
        return rows

    def count(self, source):
        """Whole run time against the number of correlations, all cores: mpixcorr with its start and files."""
        with self.h5py.File(source.path) as file:
            total = len(file["pairs"])
        rows = []
        for count in [5] if self.trial else [n for n in (5, 15, 50, 150, 500) if n < total] + [total]:
            part = self.part_of(source, count)
            seconds = {"mpixcorr" if fft == "fftw" else "mpixcorr MKL": self.mpixcorr(part, fft, 1, self.cores)[0] * count
                       for fft in self.builds}
            if count <= 50:
                for program, method, fft in (("scipy, pair by pair", "scipy", "pocketfft"),
                                             ("scipy, grouped", "scipy-grouped", "pocketfft"),
                                             ("scipy MKL, grouped", "scipy-grouped", "mkl"),
                                             ("OpenCV", "opencv", "pocketfft")):
                    if not self.have(program):
                        continue
                    result = self.peer(part, method, self.cores, fft, pairs=count)
                    seconds[program] = result["elapsed_s"]
            rows.append({"count": count, "seconds": seconds})
            say(f"{count} pairs: " + ", ".join(f"{p} {s:.2f} s" for p, s in seconds.items()))
        return rows


def measure(options, work):
    bench = Bench(options, work)
    parts = options.only or [*(WORKLOADS[:1] if options.trial else WORKLOADS), "sizes", "count", "accuracy"]
    load_before = os.getloadavg()[0]
    facts = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
             "command": " ".join(["bench/run.sh", *sys.argv[1:]]), "quick": bench.quick, "rounds": bench.rounds,
             "machine": machine(), "versions": versions(bench.builds["fftw"]), "workloads": {}}
    names = [name for name in WORKLOADS if name in parts or (name == "stitch2d" and "count" in parts)]
    inputs = bench.workload_inputs(names)
    say("inputs are ready")
    for name in WORKLOADS:
        if name in parts:
            facts["workloads"][name] = bench.workload(inputs[name])
    others = {"sizes": bench.sizes, "count": lambda: bench.count(inputs["stitch2d"]), "accuracy": bench.accuracy}
    facts |= {name: measured() for name, measured in others.items() if name in parts}
    facts["load_average"] = [round(load_before, 2), round(os.getloadavg()[0], 2)]
    facts["took_s"] = round(time.perf_counter() - START)
    (work / "results.json").write_text(json.dumps(facts, indent=1) + "\n")


def main():
    import render

    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        work = pathlib.Path(passing) if options.trial else ROOT / "_work" / "bench"
        if not options.render:
            measure(options, work)
        facts = json.loads((work / "results.json").read_text())
        render.render(facts, work, ROOT / "docs" if options.publish and not options.trial else None)


if __name__ == "__main__":
    main()
