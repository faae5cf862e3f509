#!/usr/bin/env python3
"""The formats of STAGE give the same boxes and predictions; what cannot be used is named by file and line."""
import os

from mosaic_common import cut_tiles, h5py, main, np, program, scene, write_stage

PLACES = [(0, 0), (4, 200), (150, 3), (152, 206)]
ROWS, COLS = 200, 260
HEADER = "{ROOT_DIR}\ttiles\n{RESOLUTION}\t4.0\n{TILE_SIZE}\t200\t260\n"


def read(path):
    with h5py.File(path) as file:
        names = [name.decode() for name in file["images"][:]]
        root = file["images"].attrs.get("root")
        return names, root, file["templates"][:], file["pairs"][:], file["near"][:]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a[2:], b[2:]))


def write(path, text):
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def formats(folder):
    tiles = os.path.join(folder, "tiles")
    os.mkdir(tiles)
    names = cut_tiles(tiles, scene(400, 500), PLACES, ROWS, COLS)
    stage, out = os.path.join(folder, "tiles", "stage.csv"), os.path.join(folder, "a.h5")
    write_stage(stage, names, PLACES)
    said = program("mosaic", stage, out)
    expected = read(out)
    assert expected[0] == names and expected[1] == os.path.realpath(tiles), expected[:2]
    assert "12 templates on 4 edges" in said and "2 of 6 overlaps, corners or too small" in said, said
    with h5py.File(out) as file:
        assert file["images"].attrs["dtype"] == "u8" and (file["image_shapes"][:] == [ROWS, COLS]).all()
        assert file["images"].dtype.kind == "S" and file["images"].compression == "gzip"
    lines = [f"tiles\\{name}\t{x}.0\t{y}\t0\r\n" for name, (y, x) in zip(names, PLACES)]
    cases = {
        "zeiss.txt": "".join(lines),
        "feabas.txt": HEADER + "".join(f"{name}\t{x}\t{y}\n" for name, (y, x) in zip(names, PLACES)),
        "fiji.txt": "# Define the number of dimensions we are working on\ndim = 2\n\n# Define the image coordinates\n" +
                    "".join(f"tiles/{name}; ; ({x}.0, {y}.0)\n" for name, (y, x) in zip(names, PLACES)),
        "quoted.csv": "\ufeffy,x,file,more\n" + "".join(f'{y},{x},"tiles/{name}",1\n' for name, (y, x) in zip(names, PLACES)),
    }
    for name, text in cases.items():
        program("mosaic", write(os.path.join(folder, name), text), out, "--overwrite")
        found = read(out)
        assert same(found, expected), name
        root = found[1] or folder  # beside OUTPUT it is not told
        assert (found[1] is None) == (name != "feabas.txt"), (name, found[1])
        assert all(os.path.exists(os.path.join(root, n)) for n in found[0]), found
    # units and axes: nanometres, x to the left, y upwards
    for flip, sx, sy in (("none", 4, 4), ("x", -4, 4), ("y", 4, -4)):
        write_stage(stage, names, [(sy * y, sx * x) for y, x in PLACES])
        program("mosaic", stage, out, "--overwrite", "--pixel-size", 4, "--flip", flip)
        assert same(read(out), expected), flip
    # a shape that is given spares the look
    for name in names:
        os.unlink(os.path.join(tiles, name))
    write_stage(stage, names, PLACES)
    program("mosaic", stage, out, "--overwrite", "--shape", f"{ROWS},{COLS}")
    assert same(read(out), expected)
    assert "line 2: " in program("mosaic", stage, out, "--overwrite", code=3)


def options(folder):
    stage, out = os.path.join(folder, "stage.csv"), os.path.join(folder, "a.h5")
    write_stage(stage, ["a", "b"], [(0, 0), (3, 800)])
    shape = ("--shape", "900,1000")
    for arguments, boxes, radius in ((("--stage-error", 20, "--template", "100,60", "--per-edge", 3), (100, 60), 20),
                                     (("--stage-error", 20.5), (286, 179), 21), ((), (233, 100), 100)):
        program("mosaic", stage, out, "--overwrite", *shape, *arguments)
        _, _, found, pairs, near = read(out)
        assert (near[:, 2:] == radius).all() and (pairs[:, 0] == 0).all() and (found[:, 0] == 1).all(), near
        assert (found[:, 3:] == boxes).all(), (arguments, found)
        assert (near[:, :2] == found[:, 1:3] + [3, 800]).all(), near
    # turned for tiles above each other
    write_stage(stage, ["a", "b"], [(0, 0), (800, 3)])
    program("mosaic", stage, out, "--overwrite", *shape, "--template", "100,60", "--stage-error", 20)
    assert (read(out)[2][:, 3:] == [60, 100]).all()
    program("mosaic", stage, out, *shape, code=4)
    program("mosaic", stage, stage, *shape, "--overwrite", code=4)
    with open(stage) as file:
        assert file.read(4) == "file"


def damage(folder):
    out = os.path.join(folder, "a.h5")
    for text, words in (
            ("file,x\na,1\n", "header without y"),
            ("file,x,y\na,1,2\nb,one,2\n", "line 3: column x: 'one'"),
            ("file,x,y\na,1,2\nb,nan,2\n", "line 3: column x: 'nan'"),
            ("file,x,y\na,1,2\na,100,2\n", "line 3: a found, which line 2 names already"),
            ("file,x,y\na,1,2\nb,1e300,2\n", "--pixel-size"),
            ("file,x,y\na,1,2\nb,5000,2\n", "no two of 2 tiles overlap"),
            ("file,x,y\n,1,2\n", "line 2: no name"),
            ("file,x,y\n", "no tile found"),
            ("", "nothing found"),
            ("a\t1\t2\nb\t3\n", "line 2: 2 cells found"),
            ("a\t1\tx\n", "line 1: 3 cells found"),
            ("{TILE_SIZE}\t0\t5\na\t1\t2\n", "line 1: {TILE_SIZE}"),
            ("{ROOT_DIR}\tnowhere\na\t1\t2\n", "nowhere"),
            ("dim = 3\na; ; (1, 2, 3)\n", "dim = 3 found"),
            ("dim = 2\na; 4; (1, 2)\n", "series 4"),
            ("dim = 2\na; ; (1)\n", "line 2: expected"),
            ("dim = 2\na\n", "line 2: expected"),
            ("a; ; (1, 2)\nb; (3, 4)\n", "line 2: expected"),
            ("file,x,y\0\n", "zero byte")):
        stage = write(os.path.join(folder, "stage"), text)
        said = program("mosaic", stage, out, "--shape", "300,300", code=3)
        assert words in said and said.count("\n") == 1 and not os.path.exists(out), (text, said)
    for arguments in (("--per-edge", 2), ("--template", "5"), ("--flip", "z"), ("--stage-error", -1), ("--shape", "0,1")):
        program("mosaic", "stage", out, *arguments, code=2)


main(formats, options, damage)
