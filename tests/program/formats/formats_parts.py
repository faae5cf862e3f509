"""Huge images that are searched through windows: only the chunks that windows reach are read, and every result is what
it is on that part of the image alone, wherever the image is stored, on any ranks."""
import json
import os
import sys
import tempfile
import zlib

from formats_common import h5py, launch, named_input, np, run, write, zarr2
from launch import MPIXCORR

SIDE, CHUNK, BAD, LOST = 6000, 500, (5, 5), (9, 2)  # above 2^25 pixels
DATASETS = ("coords", "offsets", "peaks", "status", "overlap", "at_border", "top_coords", "top_peaks", "subpixel_offsets",
            "curvature", "second_coords", "second_peaks")
OPTIONS = ["--quality", "--peaks", "3", "--separation", "4", "--crop", "3,5", "--min-overlap", "0.3"]


def make_image(folder):
    """As a Zarr array of chunks that are links to a few, but for one with a NaN; and as an HDF5 dataset."""
    rng = np.random.default_rng(5)
    real = [rng.integers(0, 200, (CHUNK, CHUNK)).astype("f4") for _ in range(4)]
    image, n = np.empty((SIDE, SIDE), "f4"), SIDE // CHUNK
    meta = {"zarr_format": 2, "shape": image.shape, "chunks": (CHUNK, CHUNK), "dtype": "<f4", "order": "C",
            "fill_value": 0, "filters": None, "compressor": {"id": "zlib", "level": 1}}
    write(f"{folder}/z/.zarray", json.dumps(meta).encode())
    for k, chunk in enumerate(real):
        write(f"{folder}/real{k}", zlib.compress(chunk.tobytes(), 1))
    for y, x in np.ndindex(n, n):
        k, place = (y + 2 * x + x // 3) % 4, (slice(y * CHUNK, (y + 1) * CHUNK), slice(x * CHUNK, (x + 1) * CHUNK))
        image[place] = real[k]
        if (y, x) == BAD:
            image[y * CHUNK + 250, x * CHUNK + 250] = np.nan
            write(f"{folder}/z/{y}.{x}", zlib.compress(image[place].tobytes(), 1))
        elif (y, x) == LOST:
            write(f"{folder}/z/{y}.{x}", b"no chunk")
        else:
            os.link(f"{folder}/real{k}", f"{folder}/z/{y}.{x}")
    with h5py.File(f"{folder}/h.h5", "w") as file:
        file.create_dataset("d", data=image[None], chunks=(1, CHUNK, CHUNK))
    return image


def make_pairs():
    """Windows at corners, at an edge and inside, over chunks' borders; and a template of one row."""
    shapes = [(64, 80), (1, 90), (40, 1)]
    boxes, windows, rng = [], [], np.random.default_rng(6)
    for h, w in shapes:
        full = np.array([SIDE + h - 1, SIDE + w - 1])
        places = [(h - 1 + y, w - 1 + x) for y, x in rng.integers(0, SIDE - 200, (20, 2))]
        places += [(0, 0), (0, 2200), tuple(full - 90), (5300, 1), (2600 + h, 2600 + w), (2750, 2730), (4700, 1200)]
        for y, x in places:
            boxes.append((0, int(np.clip(y - h + 9, 0, SIDE - h)), int(np.clip(x - w + 12, 0, SIDE - w)), h, w))
            windows.append((y, x, min(y + 70, full[0]), min(x + 60, full[1])))
    return np.array(boxes), np.array(windows)


def reach(window, box):
    """The pixels that a window reaches, as promised: nothing else of the image matters; more of it only where the
    correlation of the part would end beside a position that is searched."""
    _, _, _, h, w = box
    y0, x0, y1, x1 = window
    y0, x0, y1, x1 = max(y0, 5), max(x0, 3), min(y1, SIDE + h - 6), min(x1, SIDE + w - 4)  # the crop
    y, x = (h == 1), (w == 1)
    pixels = [max(y0 - h + 1 - y, 0), max(x0 - w + 1 - x, 0), min(y1 + y, SIDE), min(x1 + x, SIDE)]
    for first, end, size in ((0, 2, h), (1, 3, w)):  # at a corner less may be reached than a template is large
        pixels[end] = max(pixels[end], size) if pixels[first] == 0 else pixels[end]
        pixels[first] = min(pixels[first], pixels[end] - size)
    return pixels, (y0 - pixels[0], x0 - pixels[1], y1 - pixels[0], x1 - pixels[1])


def read(path):
    with h5py.File(path, "r") as file:
        return {name: file[name][()] for name in DATASETS}


def one_by_one(folder, image, boxes, windows):
    """What each pair gets on its part alone, moved to where that lies."""
    origins = []
    with h5py.File(f"{folder}/alone.h5", "w") as file:
        search = []
        for i, (window, box) in enumerate(zip(windows, boxes)):
            (y0, x0, y1, x1), inner = reach(window, box)
            file[f"images/{i}"] = image[y0:y1, x0:x1]
            file[f"templates/{i}"] = image[box[1]:box[1] + box[3], box[2]:box[2] + box[4]]
            search.append(inner)
            origins.append((y0, x0))
        file["search"], file["pairs"] = np.array(search), np.repeat(np.arange(len(boxes)), 2).reshape(-1, 2)
    done = run(f"{folder}/alone.h5", f"{folder}/alone_out.h5", 1, OPTIONS[:5] + OPTIONS[7:])
    assert done.returncode in (0, 6), done.stderr
    out, origins = read(f"{folder}/alone_out.h5"), np.array(origins)
    has = np.isin(out["status"], (1, 2))
    for name in ("coords", "offsets", "subpixel_offsets", "second_coords"):
        there = has & (out[name][:, 0] >= 0) if name == "second_coords" else has
        out[name][there] += origins[there].astype(out[name].dtype)
    out["top_coords"] += np.where(out["top_coords"] >= 0, origins[:, None], 0)
    return out


def compare(what, got, expected, rows):
    for name in DATASETS:
        a, b = got[name][rows], expected[name][rows]
        same = np.allclose(a, b, atol=1e-9, equal_nan=True) if "subpixel" in name else np.array_equal(
            a, b, equal_nan=a.dtype.kind == "f")
        assert same, f"{what}: {name} differs in rows {np.flatnonzero([np.any(u != v) for u, v in zip(a, b)])}"


def shown(folder, input, got):
    """map reads only what a window reaches, too: a chunk elsewhere cannot be read. It searches as run does."""
    place, rows = os.path.join(folder, "map.h5"), np.flatnonzero(got["status"] == 1)
    for row in (rows[0], rows[-1]):
        done = launch([MPIXCORR, "map", input, place, "--overwrite", "--pair", str(row)] + OPTIONS[1:])
        assert done.returncode == 0, done.stderr
        with h5py.File(place, "r") as file:
            ncc, origin = file["ncc"][()], file["ncc"].attrs["origin"]
            y, x = file.attrs["coords"] - origin
            assert np.array_equal(file.attrs["coords"], got["coords"][row]) and file.attrs["peak"] == got["peaks"][row]
            assert np.array_equal(file["top_coords"][()], got["top_coords"][row]), row
            assert abs(ncc[y, x] - got["peaks"][row]) < 1e-9 and np.nanmax(ncc) <= got["peaks"][row] + 1e-9, row
    sheet = ["map", input, place[:-2] + "png", "--results", f"{folder}/out.h5", "--below", "2", "--most", "3", "--maps"]
    done = launch([MPIXCORR, *sheet])
    assert done.returncode == 0 or "draws no pictures" in done.stderr, done.stderr


def meets(windows, boxes, chunk):
    spans = [reach(w, b)[0] for w, b in zip(windows, boxes)]
    y, x = np.array(chunk) * CHUNK
    return np.array([s[0] < y + CHUNK and s[2] > y and s[1] < x + CHUNK and s[3] > x for s in spans])


def chunk_order(folder):
    """The dry run tells how often chunks are read, and in which order of pairs it would be once: slices that go to and
    fro between two layers of chunks, of which one is kept."""
    input, report = os.path.join(folder, "slices.h5"), os.path.join(folder, "plan.json")
    layer, kept = 16 * 128 * 128, 0  # bytes of a slice
    for deep in (2, None):
        deep = deep or kept // layer
        meta = {"zarr_format": 2, "shape": (2 * deep, 512, 512), "chunks": (deep, 128, 128), "dtype": "|u1", "order": "C",
                "fill_value": 1, "filters": None, "compressor": None}
        write(f"{folder}/v/.zarray", json.dumps(meta).encode())
        n = 2 * deep
        named_input(input, [f"v[{i // 2 + i % 2 * deep}]" for i in range(n)], [(i, 100, 100, 32, 32) for i in range(n)],
                    [(i, i) for i in range(n)])
        done = launch([MPIXCORR, "run", input, "--dry-run", "--memory", "768MiB", "--report", report])
        assert done.returncode == 0, done.stderr
        with open(report, encoding="utf-8") as file:
            told = json.load(file)["chunks"]
        kept = told["kept_bytes"]
        assert told["chunks"] == 32 and told["chunk_bytes"] == n * layer and told["object_bytes"] == deep * layer, told
        if n * layer <= kept:
            assert told["planned"]["reads"] == 32 and "each is read once" in done.stdout, done.stdout
    assert told["planned"] == {"reads": 32 * deep, "read_bytes": 32 * deep * told["chunk_bytes"] // 32, "most": deep}, told
    assert told["by_chunk"]["reads"] == 32 and "(images 0, 2, 4, 6, ...) once each" in done.stdout, done.stdout
    assert told["images_by_chunk"] == list(range(0, n, 2)) + list(range(1, n, 2))


def found_again(folder):
    """Slices of a volume as images, parts of them as templates: each chunk is read once."""
    input, report = os.path.join(folder, "again.h5"), os.path.join(folder, "again.json")
    volume = np.random.default_rng(7).integers(0, 250, (8, 64, 64)).astype("u1")
    zarr2(f"{folder}/w", volume, chunk=(8, 32, 32), compressor=None)
    named_input(input, [f"w[{i}]" for i in range(8)], [], [(i, i) for i in range(8)])
    with h5py.File(input, "a") as file:
        del file["templates"]
        file["templates"] = np.array([f"w[{i},8:40,8:40]".encode() for i in range(8)])
    for read in ("all", "root"):
        done = run(input, os.path.join(folder, "again_out.h5"), 1, ["--read", read, "--min-overlap", "1",
                                                                      "--report", report])
        with open(report, encoding="utf-8") as file:
            assert done.returncode == 0 and json.load(file)["bytes_read"] == volume.nbytes, (read, done.stderr)


def main():
    boxes, windows = make_pairs()
    pairs = np.array([(0, i) for i in range(len(boxes))])
    with tempfile.TemporaryDirectory() as folder:
        chunk_order(folder)
        found_again(folder)
        image = make_image(folder)
        expected = one_by_one(folder, image, boxes, windows)
        lost = meets(windows, boxes, LOST) | np.array([b[1] // CHUNK <= LOST[0] <= (b[1] + b[3] - 1) // CHUNK and
                                                       b[2] // CHUNK <= LOST[1] <= (b[2] + b[4] - 1) // CHUNK
                                                       for b in boxes])
        assert lost.any() and (expected["status"] == 3).any() and (expected["status"] == 1).sum() > 40
        for name, ways in (("z", ((1, "all"), (3, "all"), (3, "root"))), ("h.h5/d[0]", ((2, "all"),)),
                           ("", ((2, "all"),))):  # the last: pixels in the input
            input, output, report = (os.path.join(folder, f) for f in ("in.h5", "out.h5", "report.json"))
            named_input(input, [name], boxes, pairs)
            with h5py.File(input, "a") as file:
                file["search"] = windows
                if not name:
                    del file["images"]
                    file["images"] = h5py.ExternalLink("h.h5", "d")
            for ranks, who in ways:
                what = f"{name}, {ranks} ranks, --read {who}"
                done = run(input, output, ranks, OPTIONS + ["--read", who, "--memory", "512MiB", "--report", report])
                assert done.returncode == 6, (what, done.returncode, done.stderr)
                got = read(output)
                unreadable = lost if name == "z" else np.zeros(len(lost), bool)
                assert np.array_equal(got["status"] == 4, unreadable), what
                compare(what, got, expected, ~unreadable)
                with open(report, encoding="utf-8") as file:
                    taken = json.load(file)["bytes_read"]
                if name == "z" and ranks == 1:
                    shown(folder, input, got)
                assert taken < (0.5 if name == "z" else 0.7) * ranks * image.nbytes, f"{what}: {taken} bytes were read"
        done = launch([MPIXCORR, "run", input, "--dry-run"])
        assert "in parts of" in done.stdout, done.stdout
    print(f"{len(boxes)} pairs on parts of a huge image")


if __name__ == "__main__":
    sys.exit(main())
