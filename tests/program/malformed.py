#!/usr/bin/env python3
"""A corpus of malformed inputs and parts, each through the whole program: exit 3, one line that names file and object, no
output, no crash and no hang. Skipped (77) without the Python modules.
"""
import os
import subprocess
import sys
import tempfile

from bad_inputs import write

from launch import MPIXCORR, PATIENCE_S, h5py, np

COMPOUND = np.dtype([("a", "i4"), ("b", "f4")])
TILE = np.zeros((40, 40), "u1")
CASES = []  # name, function of a path, words of the line, options


def case(name, *words, options=(), **changes):
    CASES.append((name, lambda path: write(path, **changes), words, list(options)))


def shaped(shape, dtype="u1", **how):
    return lambda file, name: file.create_dataset(name, shape, dtype, **how)


def long_integers(shape):
    def make(file, name):
        dtype = h5py.h5t.NATIVE_INT64.copy()
        dtype.set_size(2**30)
        h5py.h5d.create(file.id, name.encode(), dtype, h5py.h5s.create_simple(shape))
    return make


def pairs_with(row, pair):
    pairs = np.array([[0, 0], [1, 1], [0, 2]])
    pairs[row] = pair
    return pairs


def missing_and_wrong_classes():
    for name in ("images", "templates", "pairs"):
        case(f"no {name}", f"/{name}", "not found", **{name: None})
        case(f"{name} of compounds", f"/{name}", "found, expected", **{name: np.zeros((3, 2, 2), COMPOUND)})
        case(f"{name} of strings", f"/{name}", "found, expected", **{name: np.zeros((3, 2), "S3")})
        case(f"{name}: a type", f"/{name}", **{name: lambda file, name: file.__setitem__(name, np.dtype("f8"))})
        case(f"{name}: empty space", f"/{name}", "an empty dataset found", **{name: lambda file, name: file.__setitem__(name, h5py.Empty("u1"))})
        case(f"{name}: variable length", f"/{name}", **{name: shaped((3, 2), h5py.vlen_dtype("u1"))})
        case(f"{name}: a soft link to nowhere", f"/{name}",
             **{name: lambda file, name: file.__setitem__(name, h5py.SoftLink("/nowhere"))})
        case(f"{name}: a soft link to itself", f"/{name}",
             **{name: lambda file, name: file.__setitem__(name, h5py.SoftLink(f"/{name}"))})
        case(f"{name}: an external link to no file", f"/{name}",
             **{name: lambda file, name: file.__setitem__(name, h5py.ExternalLink("gone.h5", "/x"))})
    case("pairs: a group", "/pairs", "a group found", pairs=lambda file, name: file.create_group(name))
    case("pairs of floats", "/pairs", "expected integers", pairs=np.zeros((3, 2)))
    case("images of 64-bit integers", "/images", "expected pixels of", images=np.zeros((2, 32, 40), "i8"))
    for name, shape in (("images", (2, 32, 40)), ("templates", (3, 5)), ("pairs", (3, 2)), ("search", (3, 4))):
        case(f"{name} of integers of 2^30 bytes each", f"/{name}", "numbers of 1073741824 bytes",
             **{name: long_integers(shape)})
    case("images of complex numbers", "/images", "expected pixels of", images=np.zeros((2, 32, 40), "c8"))
    case("images of 128-bit floats", "/images", "expected pixels of", images=np.zeros((2, 32, 40), np.longdouble))
    case("an image in the group: external link to no file", "/images/1", "gone.h5",
         images=lambda file, name: file.update({f"{name}/0": TILE, f"{name}/1": h5py.ExternalLink("gone.h5", "/x")}))
    case("an image in the group: a group", "/images/0", "a group found", images={"0/x": TILE})


def shapes():
    for name, shapes_ in (("images", ((), (5,), (32, 40), (1, 2, 3, 4))), ("templates", ((), (7,), (4, 4), (1, 2, 3, 4))),
                          ("pairs", ((), (4,), (4, 3), (2, 2, 2)))):
        for shape in shapes_:
            case(f"{name} of shape {shape}", f"/{name}", "found, expected", **{name: np.zeros(shape, "u1")})
    for shape in ((2, 0, 5), (2, 5, 0)):
        case(f"images of shape {shape}", "/images", "at least one pixel", images=np.zeros(shape, "u1"))
        case(f"templates of shape {shape}", "/templates", "at least one pixel", templates=np.zeros(shape, "u1"))
    case("no image at all", "/images is empty", images=np.zeros((0, 5, 5), "u1"))
    case("a group without an image", "/images is empty", images=lambda file, name: file.create_group(name))
    for shape in ((2, 2**31, 4), (2, 4, 2**31), (2, 2**62, 1)):
        case(f"images of shape {shape}", "/images", "expected at most", images=shaped(shape, chunks=(1, 4, 1)))
    case("images of 2^29 x 2^29 pixels", "the limit is", images=shaped((2, 2**29, 2**29), chunks=(1, 64, 64)))
    case("images of 2^29 x 2^29 pixels, with boxes of them", "the limit is", images=shaped((2, 2**29, 2**29), chunks=(1, 64, 64)),
         templates=np.array([[0, 0, 0, 2**29, 2**28]] * 3), options=["--min-overlap", "0.5"])
    case("pairs without end", "pairs of 2 images", "TiB of tables", pairs=shaped((2**50, 2), "i8", chunks=(1024, 2)))
    case("a template larger than its image", "/pairs row 1", templates={"0": TILE[:4, :4], "1": TILE, "2": TILE[:3, :3]})
    case("a crop that leaves nothing", "crop", options=["--crop", "24,20"])


def ids():
    for row in (0, 1, 2):
        case(f"image id too large in row {row}", f"/pairs row {row}", "image id 2", pairs=pairs_with(row, [2, 0]))
        case(f"template id too large in row {row}", f"/pairs row {row}", "template id 3", pairs=pairs_with(row, [0, 3]))
        case(f"image id below -1 in row {row}", f"/pairs row {row}", "image id -2", pairs=pairs_with(row, [-2, 0]))
        case(f"template id below -1 in row {row}", f"/pairs row {row}", "template id -9", pairs=pairs_with(row, [-1, -9]))
    case("an id of 2^63 - 1", str(2**63 - 1), pairs=pairs_with(1, [2**63 - 1, 0]))
    case("an id that is no signed number", "/pairs", pairs=pairs_with(1, [0, 0]).astype("u8") + np.uint64(2**63))
    case("an id in a gap", "image id 5", images={"3": TILE, "9": TILE}, pairs=np.array([[3, 0], [9, 1], [5, 2]]))


def names():
    for name in ("tile", "0x1", "-1", "1.5", " 1", "1a", "9" * 20, "١", "a\nmpixcorr: b"):
        case(f"an image named {name!r}", "/images/", "odd name", images={"0": TILE, name: TILE})
    case("two names of one id", "same id", images={"7": TILE, "007": TILE})


def boxes_and_windows():
    for box in ([0, 0, 0, 33, 5], [1, -1, 0, 5, 5], [0, 0, 36, 5, 5], [2, 0, 0, 5, 5], [-1, 0, 0, 5, 5], [0, 0, 0, 0, 5],
                [0, 2**63 - 1, 0, 5, 5], [0, 5, 5, 2**63 - 1, 5], [0, 0, 0, -4, 5]):
        case(f"a box {box}", "/templates row 2", templates=np.array([[0, 0, 0, 5, 5], [1, 2, 3, 4, 5], box]))
    case("boxes of floats", "/templates", "expected integers", templates=np.zeros((3, 5), "f4"))
    for window in ([5, 5, 5, 9], [5, 5, 9, 5], [9, 9, 5, 5], [-1, 0, 9, 9], [0, 0, 40, 9], [0, 0, 9, 50], [0, 0, 2**63 - 1, 9],
                   [-2**63, 0, 9, 9]):
        case(f"a window {window}", "/pairs row 1", "search window (",
             search=np.array([[0, 0, 9, 9], window, [0, 0, 9, 9]]))
    case("windows: too few", "/search", search=np.zeros((2, 4), "i4"))
    case("windows of floats", "/search", search=np.zeros((3, 4)))


def files():
    def unreadable_filter(file, name):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 32, 40))
        plist.set_filter(31999, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((2, 32, 40))
        h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, plist)

    def virtual(file, name):
        layout = h5py.VirtualLayout(shape=(1, 32, 40), dtype="u1")
        layout[0] = h5py.VirtualSource("gone.h5", "data", shape=(32, 40))
        file.create_virtual_dataset(name, layout)

    def beyond_its_limit(path):
        """A dataset says how large it is, and then how large it may become."""
        write(path)
        with open(path, "r+b") as file:
            sides = np.array([2, 32, 40], "<u8").tobytes()
            place = file.read().index(2 * sides)
            file.seek(place)
            file.write(np.array([3, 32, 40], "<u8").tobytes())

    CASES.append(("a shape beyond its own limit", beyond_its_limit, ("/images", "beyond its own limit"), []))
    case("a filter that is not there", "filter 31999", images=unreadable_filter)
    case("a virtual dataset without its source", "gone.h5", images=virtual)

    def truncated(keep):
        def make(path):
            write(path)
            os.truncate(path, int(keep * os.path.getsize(path)) if isinstance(keep, float) else keep)
        return make

    for keep in (0, 1, 7, 8, 16, 47, 48, 95, 96, 200, 512, 800, 0.25, 0.5, 0.75, 0.99):
        CASES.append((f"truncated to {keep}", truncated(keep), (), []))

    def flipped(place):
        def make(path):
            write(path)
            with open(path, "r+b") as file:
                file.seek(place)
                byte = file.read(1)
                file.seek(place)
                file.write(bytes([byte[0] ^ 0xff]))
        return make

    for place in (0, 3, 7, 8, 9, 10, 13, 14, 40, 64, 72):  # signature, versions, sizes, end of file, root group
        CASES.append((f"byte {place} flipped", flipped(place), (), []))

    def text(path):
        with open(path, "w", encoding="ascii") as file:
            file.write("image,template\n0,0\n")

    CASES.append(("a text file", text, ("not an HDF5 file",), []))
    CASES.append(("no file", lambda path: None, ("No such file",), []))
    CASES.append(("a folder", os.mkdir, ("a directory found",), []))
    CASES.append(("a pipe", os.mkfifo, ("expected an HDF5 file",), []))


def parts():
    """Of a good input, what is to be resumed being malformed."""
    def changed(change):
        def make(path):
            write(path)
            folder = os.path.dirname(path)
            run(path, ["--overwrite"])
            os.rename(os.path.join(folder, "output.h5"), os.path.join(folder, "output.h5.part"))
            with h5py.File(os.path.join(folder, "output.h5.part"), "r+") as file:
                change(file)
        return make

    def pending_output(path):
        """An output under its final name, marked as complete, of which one row is pending."""
        write(path)
        run(path, ["--overwrite"])
        with h5py.File(os.path.join(os.path.dirname(path), "output.h5"), "r+") as file:
            place, name = file["status"].id.get_offset(), file.filename
        with open(name, "r+b") as raw:
            raw.seek(place)
            raw.write(b"\0")

    def attribute(name, value):
        return lambda file: file.attrs.modify(name, value)

    def status_of_eight(file):
        file.flush()
        with open(file.filename, "r+b") as raw:
            raw.seek(file["status"].id.get_offset())
            raw.write(b"\10")

    def place_of_run(place):
        def change(file):
            file.flush()
            with open(file.filename, "r+b") as raw:
                data, old = raw.read(), file["run"].id.get_offset().to_bytes(8, "little")
                assert data.count(old) == 1
                raw.seek(data.index(old))
                raw.write(place.to_bytes(8, "little"))
        return change

    for place in (2**40, 2**63 - 1):
        CASES.append((f"a part whose record lies at byte {place}", changed(place_of_run(place)),
                      ("output.h5.part", "/run"), ["--resume"]))
    CASES.append(("a finished output with a pending row", pending_output, ("output.h5", "rows are pending"), ["--resume"]))
    for name, change, word in (("a newer format", attribute("format_version", np.int64(3)), "format version 3 found"),
                               ("an older format", attribute("format_version", np.int64(1)), "format version 1 found"),
                               ("no record", lambda file: file.__delitem__("run"), "/run"),
                               ("a record of numbers", lambda file: (file.__delitem__("run"), file.__setitem__(
                                   "run", np.zeros(3))), "/run"),
                               ("another format", attribute("format", np.bytes_(b"other")), "not an output file"),
                               ("other numerics", attribute("numerics_revision", np.int64(99)), "revision 99"),
                               ("no coords", lambda file: file.__delitem__("coords"), "/coords"),
                               ("coords of floats", lambda file: (file.__delitem__("coords"), file.__setitem__(
                                   "coords", np.zeros((3, 2)))), "/coords"),
                               ("fewer peaks", lambda file: (file.__delitem__("peaks"), file.__setitem__(
                                   "peaks", np.zeros(2))), "/peaks"),
                               ("status of 8", status_of_eight, "/status row 0"),
                               ("other pairs", lambda file: file["pairs"].__setitem__(1, [0, 0]), "/pairs row 1")):
        CASES.append((f"a part with {name}", changed(change), ("output.h5.part", word), ["--resume"]))


def run(path, options):
    output = os.path.join(os.path.dirname(path), "output.h5")
    return subprocess.run([MPIXCORR, "run", path, output, "--threads", "1", "--progress", "none", *options],
                          capture_output=True, timeout=PATIENCE_S, check=False)


def fails_as_promised(name, make, words, options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "input.h5")
        make(path)
        before = set(os.listdir(folder))
        try:
            done = run(path, options)
        except subprocess.TimeoutExpired:
            print(f"FAILED {name}: hangs")
            return False
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if not line.startswith("mpixcorr: warn")]
        left = set(os.listdir(folder)) - before
    named = "output.h5" if "--resume" in options else "input.h5"
    good = len(lines) == 1 and lines[0].startswith("mpixcorr: ") and all(word in lines[0] for word in (*words, named))
    passed = done.returncode == 3 and good and not left
    print(f"{'passed' if passed else 'FAILED'} {name}: exit {done.returncode}, left {sorted(left)}")
    print("    " + "\n    ".join(lines))
    return passed


if __name__ == "__main__":
    for fill in (missing_and_wrong_classes, shapes, ids, names, boxes_and_windows, files, parts):
        fill()
    failed = [entry[0] for entry in CASES if not fails_as_promised(*entry)]
    print(f"{len(CASES)} kinds, {len(failed)} not as promised: {failed}")
    sys.exit(len(failed) > 0 or len(CASES) < 60)
