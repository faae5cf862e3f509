"""What the tests of mosaics share: a scene, tiles cut from it, and the three commands. Skips (77) without modules."""
import csv
import io
import os

from cases import main  # noqa: F401
from launch import MPIXCORR, PATIENCE_S, h5py, launch, np, on_ranks, skip  # noqa: F401

try:
    from PIL import Image
except ImportError as error:
    skip(error)


def program(*arguments, code=0, ranks=0):
    """Runs the program and checks its exit code; returns what it printed, or its errors where it failed."""
    done = launch([*on_ranks(ranks), MPIXCORR, *map(str, arguments)], PATIENCE_S)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def scene(rows, cols, seed=1, smooth=2.0):
    """8-bit noise without grain finer than some pixels: every place looks different."""
    rng = np.random.default_rng(seed)
    y, x = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(cols)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((rows, cols))) * np.exp(-2 * (np.pi * smooth) ** 2 * (y * y + x * x)), (rows, cols))
    return np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


def cut_tiles(folder, picture, places, rows, cols, noise=4.0):
    """Writes tiles t0.png ... of a picture at (y, x), each with noise of its own."""
    rng = np.random.default_rng(2)
    names = []
    for i, (y, x) in enumerate(places):
        tile = picture[y:y + rows, x:x + cols] + noise * rng.standard_normal((rows, cols))
        names.append(f"t{i}.png")
        Image.fromarray(np.clip(np.rint(tile), 0, 255).astype(np.uint8)).save(os.path.join(folder, names[-1]))
    return names


def write_stage(path, names, places, **columns):
    """A table of (y, x) places, with more columns."""
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "x", "y", *columns])
        for i, (name, (y, x)) in enumerate(zip(names, places)):
            table.writerow([name, x, y, *(values[i] for values in columns.values())])


def edges(results, *options):
    """`table --tiles --format csv`: rows by the names of the two images."""
    found = {}
    for row in csv.DictReader(io.StringIO(program("table", results, "--tiles", "--format", "csv", *options))):
        found.setdefault((row["image_name"], row["other_name"]), []).append(row)
    return found
