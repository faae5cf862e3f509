#!/usr/bin/env python3
"""Every command that README.md, docs/ and python/README.md show is run here as it stands there, on small files; or another
test runs it, which ELSEWHERE names; or the page says beside it that it was not tried.

  documents.py libmpixcorr.so

A page's blocks of sh and python run in their order, in one folder. In running text commands are not run: those of mpixcorr
must be known to it with their options, others as above; and named paths of the sources must exist.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

from launch import MPIXCORR, PATIENCE_S, h5py, np, skip  # noqa: F401

try:
    from mosaic.mosaic_common import cut_tiles, scene, write_stage
except ImportError as missing:
    skip(missing)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ["README.md", *sorted(f"docs/{name}" for name in os.listdir(os.path.join(TOP, "docs")) if name.endswith(".md")), "python/README.md"]
NOT_TRIED = re.compile(r"not (yet )?(been )?tried|not at hand", re.I)

# What begins like this runs in that file, in which a line matches.
ELSEWHERE = {
    "bash jobs/quickstart.sh": ("tests/package/bare.sh", "jobs/quickstart.sh"),
    "bash tests/run.sh": (".ci/run", "tests/run.sh"),
    "bench/run.sh": ("tests/bench/check_run.sh", "bench/run.sh"),
    "bench/gpu.sh --bundle": ("tests/gpu/gpu_bundle.sh", "--bundle"),
    "build/bench/bench_simulate": ("tests/bench/CMakeLists.txt", "bench_simulate --ranks"),
    "build/mpixcorr selftest": ("tests/checks/check_arm.sh", "selftest"),
    "cc yours.c": ("tests/package/check_install.sh", r"\^cc yours\.c"),
    "cmake -P cmake/dist.cmake": ("tests/package/check_tarball.sh", "cmake/dist.cmake"),
    "cmake --build build --target uninstall": ("tests/package/check_tarball.sh", "--target uninstall"),
    "cmake -DCMAKE_PREFIX_PATH=PREFIX": ("tests/package/check_install.sh", "-DCMAKE_PREFIX_PATH="),
    "cmake --install build": ("tests/package/check_install.sh", "cmake --install"),
    "cmake --preset default -DMPIXCORR_FFT=mkl": ("tests/checks/check_fft_bytes.sh", "MPIXCORR_FFT"),
    "cmake --preset default": ("tests/run.sh", "cmake --preset default"),
    "cmake --build --preset default": ("tests/run.sh", "cmake --build --preset default"),
    "cmake --preset cuda": ("tests/checks/check_cuda.sh", "cmake --preset cuda"),
    "cmake --build --preset cuda": ("tests/checks/check_cuda.sh", "cmake --build --preset cuda"),
    "ctest --preset default -L": ("tests/run.sh", "ctest --preset default"),
    "ctest -L": ("tests/run.sh", "ctest --preset default"),
    "jobs/submit input.h5 peaks.h5 --nodes": ("tests/program/cluster/slurm.py", r'"submit"\)'),
    "~/mpixcorr/share/mpixcorr/jobs/submit": ("tests/program/cluster/slurm.py", r'"submit"\)'),
    "module use PREFIX/share": ("tests/package/check_install.sh", "module use"),
    "module use ~/mpixcorr/share": ("tests/package/check_install.sh", "module use"),
    "mpirun --bind-to none": ("tests/program/placement.py", "--bind-to none"),
    "mpirun -n 1": ("tests/common/launch.py", '"-n"'),
    "mpirun mpixcorr run coarse.h5": ("tests/program/mosaic/mosaic_grid.py", '"run"|run\\('),
    "mpirun mpixcorr run fine.h5": ("tests/program/mosaic/mosaic_grid.py", '"run"|run\\('),
    "mpixcorr grid pairs.csv coarse.h5": ("tests/program/mosaic/mosaic_grid.py", "--bin"),
    "mpixcorr grid pairs.csv fine.h5": ("tests/program/mosaic/mosaic_grid.py", "--prior"),
    "mpixcorr table fine_peaks.h5": ("tests/program/mosaic/mosaic_grid.py", "--field"),
    "mpixcorr import EXPORT": ("tests/program/import/import_dump.sh", "import"),
    "mpirun -n 8 mpixcorr run export.h5": ("tests/program/import/import_dump.sh", "run .* --eps 1.1920929e-07"),
    "mpixcorr run export.h5": ("tests/program/import/import_dump.sh", "run .* --eps 1.1920929e-07"),
    "mpixcorr compare peaks.h5 export.h5": ("tests/program/import/import_dump.sh", "compare .* --peak-tolerance 1e-5"),
    "pip install ./python": ("tests/python/check_wheel.sh", r'install --quiet "\$package"'),
    "python3 -m build --sdist python": ("python/wheel.sh", "-m build --sdist"),
    "python3 -m pytest": ("tests/python/run_tests.sh", "-m pytest"),
    "srun --mpi": ("tests/program/cluster/slurm.py", "srun"),
    "source <(mpixcorr completion bash)": ("tests/checks/check_completion.sh", "completion bash"),
    "sudo apt-get install build-essential pkg-config libfftw3-dev": ("tests/package/bare.sh", "build-essential pkg-config libfftw3-dev"),
    # python, by a line of the block
    "import csv, re": ("tests/program/mosaic/mosaic_recipes.py", "maps"),
    "import csv, json": ("tests/program/mosaic/mosaic_recipes.py", "render"),
    "batch = BatchXCorr.BatchXCorr(": ("python/tests/test_batch_xcorr.py", "BatchXCorr"),
    "BatchXCorr.BatchXCorr(images, templates, correlations, launcher=": ("python/tests/test_jobs.py", "launcher"),
    "field = mpixcorr.read_output(": ("python/tests/test_tiles.py", r"\.field\("),
    "gap = file": ("tests/program/recipes.py", "doubtful"),
}
# What running text shows of commands begins with one of these; "mpixcorr output" is a word in files.
WORDS = r"mpixcorr|build/mpixcorr|mpirun|bash|bench/|cmake|ctest|pip|python3|jobs/|lfs|module|sbatch|source|spack|srun|sudo|tests/\S+\.sh"


def read(page):
    with open(os.path.join(TOP, page), encoding="utf-8") as file:
        return file.read()


def elsewhere(command):
    """Whether another test runs it; that test must be there, and say so."""
    for begin, (name, pattern) in ELSEWHERE.items():
        if command.startswith(begin):
            assert re.search(pattern, read(name), re.M), f"'{command}': {name} has no '{pattern}'"
            return True
    return False


def blocks(page):
    """(language, code, whether the words around it say that it was not tried)."""
    text = read(page)
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.S | re.M):
        around = text[: found.start()].rstrip().rsplit("\n\n", 1)[-1] + text[found.end():].lstrip().split("\n\n", 1)[0]
        yield found[2], re.sub(rf"^{found[1]}", "", found[3], flags=re.M), bool(NOT_TRIED.search(around))


class Place:
    """A folder with what pages suppose: input.h5 and results of it, tiles with stage positions; HOME, with the program installed."""

    def __init__(self, folder, library):
        self.folder, self.ran, self.left_out = folder, 0, []
        self.environment = {**os.environ, "HOME": folder, "PATH": os.path.join(folder, "bin") + os.pathsep + os.environ["PATH"],
                            "NCC_SESSIONS": os.path.join(folder, "sessions"), "PYTHONPATH": os.path.join(TOP, "python"),
                            "MPIXCORR_LIBRARY": library, "PYTHONWARNINGS": "ignore"}

    def furnish(self):
        for place in ("bin", "build", "mpixcorr/bin"):
            os.makedirs(os.path.join(self.folder, place))
            os.symlink(MPIXCORR, os.path.join(self.folder, place, "mpixcorr"))
        self.shell("mpixcorr generate input.h5 --preset tiny --images 4 && mpixcorr run input.h5 peaks.h5 --quality --peaks 5 --progress none && "
                   "cp input.h5 tiles.h5 && cp input.h5 sections.h5 && cp peaks.h5 other.h5")
        picture, folder = scene(620, 660), os.path.join(self.folder, "tiles")
        names = cut_tiles(self.folder, picture, [(0, 0), (3, 210), (230, 2), (228, 203)], 380, 400)
        write_stage(os.path.join(self.folder, "stage.csv"), names, [(0, 0), (0, 200), (220, 0), (220, 200)])
        os.makedirs(folder)
        cut_tiles(folder, picture, [(0, 0), (3, 100)], 120, 180)
        with open(os.path.join(folder, "pairs.csv"), "w", encoding="utf-8") as table:
            table.write("image,template,y,x,rows,cols\nt0.png,t1.png,20,10,60,40\n")

    def shell(self, code, language="sh"):
        for output in re.findall(r"mpixcorr (?:run|map|report|grid|mosaic|import) [^\s-]\S* (\S+\.(?:h5|png|html))", code):
            if language == "sh" and os.path.exists(os.path.join(self.folder, output)):
                os.remove(os.path.join(self.folder, output))
        how = [sys.executable, "-c"] if language == "python" else ["bash", "-e", "-o", "pipefail", "-c"]
        done = subprocess.run([*how, code], cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False)
        lacking = re.search(r"ModuleNotFoundError: .*|.*draws no pictures.*", done.stderr)
        if lacking:
            self.left_out.append(lacking[0])
        assert done.returncode == 0 or lacking, f"{code}: exit {done.returncode}:\n{done.stdout[-500:]}{done.stderr[-1500:]}"
        self.ran += 1


PRELUDE = """
import numpy as np
random = np.random.default_rng(1)
images = list(random.random((3, 90, 100)))
templates = [image[20:50, 30:70] for image in images]
pairs = correlations = [(i, i) for i in range(3)]
tiles, names = images, None
"""


def run_blocks(page, place):
    for language, code, not_tried in blocks(page):
        if language in ("python", "sh") and not_tried:
            place.left_out.append(code.splitlines()[0] + " ...")
        elif language == "python":
            if not any(elsewhere(line.strip()) for line in code.splitlines() if line.strip()):
                place.shell(PRELUDE + code, language)
        elif language == "sh":
            mine = []
            for line in re.sub(r"\\\n", "", code).splitlines():
                command, _, remark = (part.strip() for part in line.partition("#"))
                if NOT_TRIED.search(remark):
                    place.left_out.append(command)
                elif command and not all(elsewhere(part.strip()) for part in command.split("&&")):
                    mine.append(command)
            if mine:
                place.shell("\n".join(mine))


def told_in_words(page, options):
    """What running text says of commands and paths."""
    wrong = []
    for paragraph in re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.S | re.M).split("\n\n"):
        for code in re.findall(r"`([^`\n]+)`", paragraph.replace("\n", " ")):
            path = re.fullmatch(r"((?:bench|tests|jobs|docs|src|io|mpi|gpu|cmake|python)/[\w./*-]*)( .*)?", code)
            if path and not glob.glob(os.path.join(TOP, path[1])):
                wrong.append(f"`{code}`: no such file")
            ours = re.match(r"(?:build/)?mpixcorr ([a-z]+)\b(.*)", code)
            if ours and ours[1] in options:
                wrong += [f"`{code}`: {ours[1]} knows no {option}" for option in re.findall(r"--[a-z][a-z-]*", ours[2])
                          if option not in options[ours[1]]]
            elif code in ("mpixcorr output", "mpixcorr --version") or code.startswith("mpixcorr: "):
                continue
            elif re.match(rf"(?:{WORDS})\S* \S", code) and not path and not elsewhere(code) and not NOT_TRIED.search(paragraph):
                wrong.append(f"`{code}`: no test runs it, and nothing says that it was not tried")
    return wrong


def known_options():
    """Of each command, by its help."""
    def told(*words):
        return subprocess.run([MPIXCORR, *words], capture_output=True, text=True, check=True).stdout

    commands = re.findall(r"^mpixcorr ([a-z]+) ", re.search(r"## Commands\n+```\n(.*?)```", read("README.md"), re.S)[1], re.M)
    options = {name: set(re.findall(r"--[a-z][a-z-]*", told("help", name))) for name in commands if name not in ("version", "help")}
    assert len(options) >= 10 and "--quality" in options["run"], options
    return {**options, "version": set(), "help": set(), "completion": set()}


def main():
    options, wrong, ran, left_out = known_options(), [], 0, []
    with tempfile.TemporaryDirectory() as folder:
        Place(os.path.join(folder, "first"), os.path.abspath(sys.argv[1])).furnish()
        for page in PAGES:
            place = Place(os.path.join(folder, os.path.basename(page)), os.path.abspath(sys.argv[1]))
            shutil.copytree(os.path.join(folder, "first"), place.folder, symlinks=True)
            try:
                run_blocks(page, place)
            except AssertionError as error:
                wrong.append(f"{page}: {error}")
            wrong += [f"{page}: {words}" for words in told_in_words(page, options)]
            ran, left_out = ran + place.ran, left_out + place.left_out
            shutil.rmtree(place.folder)
    print("\n".join([*(f"not run: {words}" for words in left_out), *wrong, f"{ran} blocks of {len(PAGES)} pages ran"]))
    assert wrong or ran >= 12, "blocks are no longer found"
    sys.exit(bool(wrong))


main()
