#!/usr/bin/env python3
"""What other programs write is taken as they mean it, or refused: tables of pandas and spreadsheets, every .npy header that
numpy reads, stacks that look like one image, transparency, colours."""
import io
import os
import struct
import subprocess
import sys

from import_common import RNG, Image, h5py, main, np, tiff

A, B = (RNG.integers(0, 255, (37, 53), "u1") for _ in range(2))
PROGRAM = sys.argv[1]


def program(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False)


def run_import(folder, code=0, words=()):
    done = program("import", folder, "out.h5", "--overwrite")
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    return done


def table(text, code=0, words=()):
    """The input file that a table of pairs of a.tif and b.tif makes, by name of dataset."""
    with open("d/pairs.csv", "wb") as file:
        file.write(text.encode() if isinstance(text, str) else text)
    run_import("d", code, words)
    if code:
        return {}
    with h5py.File("out.h5", "r") as file:
        names = ("pairs", "templates", "search", "near", "expected/coords", "expected/peaks")
        return {name: file[name][()].tolist() for name in names if isinstance(file.get(name), h5py.Dataset)}


def prepare():
    os.mkdir("d")
    tiff("d/a.tif", A)
    tiff("d/b.tif", B)


def tables_of_other_programs():
    prepare()
    plain = table("image,template,y,x,rows,cols,expected_y,expected_x\na,b,1,2,5,6,10,12\nb,a,1,2,5,6,,\n")
    assert plain["expected/coords"] == [[10, 12], [-1, -1]] and plain["templates"] == [[0, 1, 2, 5, 6], [1, 1, 2, 5, 6]]
    head = "image,template,y,x,rows,cols,expected_y,expected_x\n"
    for rows in ("a,b,1,2,5,6,10.0,12.0\nb,a,1,2,5,6,,\n", "a,b,1.0,2.0,5.0,6.0,10.0,12.0\nb,a,1.0,2.0,5.0,6.0,NaN,NaN\n",
                 "a,b,1,2,5,6,1e1,1.2e1\nb,a,1,2,5,6,nan,NA\n", "a,b,1,2,5,6,10,12\nb,a,1,2,5,6,<NA>,null\n",
                 '"a","b","1","2","5","6","10","12"\n"b","a",1,2,5,6,"",""\n', "a , b ,1,2,5,6, 10 ,12\nb,a,1,2,5,6,,"):
        assert table(head + rows) == plain, rows
        assert table((head + rows).replace("\n", "\r\n")) == plain, rows
        assert table((head + rows).replace("\n", "\r")) == plain, rows
        assert table("\ufeff" + head + rows) == plain, rows
    lines = (head + "a,b,1,2,5,6,10.0,12.0\nb,a,1,2,5,6,,").split("\n")
    indexed = "".join(f"{i - 1 if i else ''},{line}\n" for i, line in enumerate(lines))
    assert table(indexed) == plain
    for bad, word in (("10.5", "'10.5' found"), ("inf", "'inf' found"), ("1e300", "'1e300' found"), ("10px", "'10px' found"),
                      ("1e17", "'1e17' found")):
        table(head + f"a,b,1,2,5,6,{bad},12\n", 3, [word, "line 2", "expected_y"])
    table((head + "a,b,1,2,5,6,x,12\n").replace("\n", "\r"), 3, ["line 2"])
    table((head + "a,b,1,2,5,6,10,12\n").encode("utf-16"), 3, ["zero byte"])


def predictions():
    prepare()
    head = "image,template,y,x,rows,cols,near_y,near_x,radius_y,radius_x\n"
    found = table(head + "a,b,1,2,5,6,-3,7,10,12\nb,a,1,2,5,6,,,,\na,a,1,2,5,6,3.0,7.0,10.0,NaN\n")
    assert found["near"] == [[-3, 7, 10, 12], [0, 0, -1, -1], [0, 0, -1, -1]], found
    assert "search" not in found
    # they are what is searched
    done = program("run", "out.h5", "r.h5", "--progress", "none")
    assert done.returncode == 0, done.stderr
    with h5py.File("r.h5", "r") as file:
        y, x = file["offsets"][0]
        assert abs(y + 3) <= 10 and abs(x - 7) <= 12, (y, x)
    table(head.replace(",radius_x", "") + "a,b,1,2,5,6,-3,7,10\n", 3, ["radius_y", "radius_x"])
    table(head.replace("\n", ",y0,x0,y1,x1\n") + "a,b,1,2,5,6,-3,7,10,12,0,0,5,5\n", 3, ["y0", "near_y"])
    table(head + "a,b,1,2,5,6,many,7,10,12\n", 3, ["'many' found", "near_y"])


def npy(array, text, version=1):
    """A .npy file with a header of one's own."""
    header = text.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + array.tobytes()


def numpy_headers():
    os.mkdir("n")
    stack = RNG.normal(size=(2, 20, 30)).astype("<f4")
    np.save("n/templates.npy", stack[:, 3:9, 4:13])
    np.save("n/pairs.npy", [[0, 1], [1, 0]])
    shape, big = "(2, 20, 30)", stack.astype(">f4")
    good = [(stack, f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"),
            (stack, f"{{'shape':{shape},'fortran_order':False,'descr':'<f4'}}"),
            (stack, f'{{"descr": "<f4", "fortran_order": False, "shape": {shape}}}'),
            (stack, f"  {{ 'descr' : '<f4' ,\n 'fortran_order' : False ,\t'shape' : ( 2 , 20,30 , ) }}   \n"),
            (stack, "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 20L, 30L), }"),
            (stack, f"{{'descr': 'float32', 'fortran_order': False, 'shape': {shape}}}"),
            (stack, f"{{'descr': 'f4', 'fortran_order': False, 'shape': {shape}}}"),
            (stack, f"{{'descr': '=f4', 'fortran_order': False, 'shape': {shape}}}"),
            (big, f"{{'descr': '>f4', 'fortran_order': False, 'shape': {shape}}}")]
    for array, text in good:
        for version in 1, 2, 3:
            data = npy(array, text, version)
            # numpy itself is the judge of what can be read; of Python 2's numbers only old ones
            if "L" not in text:
                np.testing.assert_array_equal(np.load(io.BytesIO(data)), stack)
            with open("n/images.npy", "wb") as file:
                file.write(data)
            run_import("n")
            with h5py.File("out.h5", "r") as file:
                np.testing.assert_array_equal(file["images"][:], stack, text)
    for text, word in ((f"{{'descr': '<f4', 'fortran_order': Maybe, 'shape': {shape}}}", "fortran_order"),
                       (f"{{'descr': '<f4', 'shape': {shape}}}", "fortran_order"),
                       ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 20, 31)}", "expected 5"),
                       ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, -20, 30)}", "dimensions"),
                       (f"{{'descr': '<c8', 'fortran_order': False, 'shape': {shape}}}", "integers"),
                       (f"{{'descr': '<f4x', 'fortran_order': False, 'shape': {shape}}}", "integers"),
                       (f"{{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': {shape}}}", "integers")):
        with open("n/images.npy", "wb") as file:
            file.write(npy(stack, text))
        done = program("import", "n", "out.h5", "--overwrite")
        assert done.returncode in (3, 4, 6) and done.stderr.count("\n") == 1 and word in done.stderr, (text, done.stderr)
    np.save("n/images.npy", np.zeros((20, 30, 3), "u1"))
    done = program("import", "n", "out.h5", "--overwrite")
    assert done.returncode == 3 or "colours" in done.stderr, done.stderr


def stacks_that_look_like_one_image():
    prepare()
    text = "image,template\na,b\n"
    for description, code in ((b"ImageJ=1.54f\nimages=6\nslices=6\n\0", 6), (b"ImageJ=1.54f\nimages=1\n\0", 0),
                              (b"ImageJ=1.54f\nunit=nm\n\0", 0), (b"Other\nimages=6\n\0", 0),
                              (b"ImageJ=1.11a\nimages=2\nhyperstack=true\n\0", 6)):
        with_description("d/a.tif", A, 270, 2, description)
        table(text, code, ["ImageJ stack"] if code else [])
    with_description("d/a.tif", A, 33629, 5, struct.pack("<6I", *range(6)))
    table(text, 6, ["MetaMorph stack of 3"])
    with_description("d/a.tif", A, 33629, 5, struct.pack("<2I", 1, 1))
    table(text)


def with_description(path, pixels, tag, kind, data):
    """A grey TIFF of one directory, with a tag of a longer value."""
    rows, cols = pixels.shape
    at = 8 + pixels.size
    directory = at + len(data) + len(data) % 2
    count = len(data) if kind == 2 else len(data) // 8
    tags = sorted([(256, 4, 1, cols), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
                   (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, 1, pixels.size), (tag, kind, count, at)])
    with open(path, "wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, directory) + pixels.tobytes() + data + bytes(len(data) % 2))
        file.write(struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *entry) for entry in tags) + bytes(4))


def transparency_and_colours():
    prepare()
    text = "image,template\nc.png,b\n"
    Image.fromarray(A).save("d/c.png")
    table(text)
    Image.fromarray(A).save("d/c.png", transparency=7)
    table(text, 6, ["transparent"])
    Image.fromarray(A).convert("LA").save("d/c.png")
    table(text, 6, ["grey with transparency"])
    Image.fromarray(np.dstack([A] * 3)).save("d/c.png")
    table(text, 6, ["RGB"])
    for shape in (30, 34, 3), (30, 34, 4):
        for kind in "images", "templates":
            with h5py.File("rgb.h5", "w") as file:
                file["images"] = np.zeros((2, 40, 40), "u1") if kind == "templates" else np.zeros(shape, "u1")
                file["templates"] = np.zeros(shape if kind == "templates" else (2, 5, 3), "u1")
                file["pairs"] = [[0, 0]]
            done = program("run", "rgb.h5", "r.h5")
            assert done.returncode == 3 and "in colours" in done.stderr and kind in done.stderr, done.stderr
            assert not os.path.exists("r.h5.part")


if __name__ == "__main__":
    main(tables_of_other_programs, predictions, numpy_headers, stacks_that_look_like_one_image, transparency_and_colours)
