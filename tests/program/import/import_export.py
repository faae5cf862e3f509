#!/usr/bin/env python3
"""The client's export, from MAT files of every version; what is missing costs only itself: import_export.py MPIXCORR"""
import os
import struct

import numpy as np
import scipy.io

from import_common import RNG, export, fails, imported, main, mat5, mat73, names, pixels, same, tiff, tool, write

IMAGES = {0: pixels(RNG, "f4", (30, 40)), 3: pixels(RNG, "u2", (25, 45))}
TEMPLATES = {1: pixels(RNG, "f4", (9, 8)), 2: pixels(RNG, "f4", (7, 6)), 12345: pixels(RNG, "f4", (5, 5))}
COMPS = np.array([[3, 2], [0, 1], [0, 12345], [-1, 1]])
CAMAX = np.array([[12, 3], [0, 44], [7, 7], [1, 1]])
CMAX = np.array([[0.5, 0.25, -0.125, 0.0]])


def check(file):
    assert sorted(file["images"], key=int) == ["0", "3"] and sorted(file["templates"], key=int) == ["1", "2", "12345"]
    assert all(same(file[f"images/{i}"][:], array) for i, array in IMAGES.items())
    assert all(same(file[f"templates/{i}"][:], array) for i, array in TEMPLATES.items())
    assert file["pairs"][:].tolist() == [[3, 2], [0, 1], [0, 12345], [-1, 1]]
    assert names(file["image_names"]) == ["image0000.tif", "image0003.tif"]
    assert names(file["template_names"]) == ["templ0001.tif", "templ0002.tif", "templ12345.tif"]
    assert file["expected/coords"][:3].tolist() == CAMAX[:3].tolist()
    assert file["expected/peaks"][:3].tolist() == CMAX[0, :3].tolist()
    assert file["expected/coords"][3].tolist() == [-1, -1] and np.isnan(file["expected/peaks"][3])


def every_mat_version():
    def v4(path, **variables):
        scipy.io.savemat(path, {name: value.astype("f8") for name, value in variables.items()}, format="4")

    def compressed(path, **variables):
        scipy.io.savemat(path, variables, do_compression=True)

    def bare73(path, **variables):
        mat73(path, attributes=False, **variables)

    for save in (mat5, compressed, v4, mat73, bare73):
        for code in ("i4", "u2", "i8", "f8", "f4"):
            if code[0] == "u" or (save is v4 and code != "f8"):
                continue
            export("d", IMAGES, TEMPLATES, COMPS.astype(code), save, Camax=CAMAX.astype(code), Cmax=CMAX.astype("f8"))
            with imported("d") as file:
                check(file)


def numbers_in_fewer_bytes():
    """MATLAB stores doubles that are small integers as bytes."""
    def packed(path, **variables):
        def element(kind, data):
            return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)

        with open(path, "wb") as file:
            file.write(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49))
            for name, value in variables.items():
                value = np.asarray(value)
                body = (element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", *value.shape)) +
                        element(1, name.encode()) + element(1, value.astype("i1").tobytes(order="F")))
                file.write(element(14, body))

    export("d", IMAGES, TEMPLATES, np.minimum(COMPS, 100), packed, Camax=CAMAX)
    os.rename("d/templ12345.tif", "d/templ0100.tif")
    with imported("d") as file:
        assert file["pairs"][:].tolist() == np.minimum(COMPS, 100).tolist()
        assert file["expected/coords"][:3].tolist() == CAMAX[:3].tolist()


def expected_values_may_be_absent_or_turned():
    export("d", IMAGES, TEMPLATES, COMPS)
    with imported("d") as file:
        assert "expected" not in file
    export("d", IMAGES, TEMPLATES, COMPS, Cmax=CMAX.T)
    with imported("d") as file:
        assert "coords" not in file["expected"] and file["expected/peaks"][1] == 0.25
    export("d", IMAGES, TEMPLATES, COMPS, Camax=np.where(CAMAX == 44, np.nan, CAMAX))
    with imported("d") as file:
        assert file["expected/coords"][1].tolist() == [-1, -1] and file["expected/coords"][0].tolist() == [12, 3]


def missing_and_broken_files():
    export("d", IMAGES, TEMPLATES, COMPS, Camax=CAMAX, Cmax=CMAX)
    os.remove("d/templ0001.tif")
    write("d/image0003.tif", "II*\0garbage")
    with imported("d", code=6, warnings=2) as file:
        assert "d/templ0001.tif: not found, but d/comps.mat refers to it; left out" in file.words
        assert "d/image0003.tif: " in file.words
        assert file["pairs"][:].tolist() == [[-1, 2], [0, -1], [0, 12345], [-1, -1]]
        assert file["expected/coords"][:].tolist() == [[-1, -1], [-1, -1], [7, 7], [-1, -1]]
        assert np.isnan(file["expected/peaks"][:]).tolist() == [True, True, False, True]
        assert names(file["image_names"]) == ["image0000.tif"]
    done = tool("import", "d", "out.h5", "--overwrite")
    assert "2 left out, as named above; 3 of 4 rows of /pairs hold no pair" in done.stdout, done.stdout
    os.remove("out.h5")
    fails("d", "d/image0003.tif", options=["--strict"])


def names_that_do_not_count():
    export("d", IMAGES, TEMPLATES, COMPS)
    for name in ("image.tif", "image0009.txt", "image00x1.tif", "myimage0008.tif", "notes.txt"):
        write(f"d/{name}", "x")
    tiff("d/image7.TIFF", IMAGES[0])
    with imported("d") as file:
        assert sorted(file["images"], key=int) == ["0", "3", "7"]
    tiff("d/image07.tif", IMAGES[0])
    fails("d", "image07.tif and image7.TIFF found, expected one file a number")


def wrong_tables():
    export("d", IMAGES, TEMPLATES, COMPS)
    for variables, words in (({"comps": COMPS + 0.5}, "comps: row 0: 3.5 found, expected an integer"),
                             ({"comps": COMPS.T}, "comps: shape [2, 4] found, expected [n, 2]"),
                             ({"comps": COMPS - 1}, "comps: row 3: -2 found"),
                             ({"comps": COMPS + 1j}, "comps: expected a real matrix"),
                             ({"comps": "text"}, "comps: expected a real matrix"),
                             ({"other": COMPS}, "no variable 'comps' found"),
                             ({"comps": COMPS, "Camax": CAMAX[:3]}, "Camax: shape [3, 2] found, expected [4, 2]"),
                             ({"comps": COMPS, "Cmax": CMAX[:, :3]}, "Cmax: shape [1, 3] found, expected [1, 4]")):
        mat5("d/comps.mat", **variables)
        fails("d", "d/comps.mat", words)
    mat73("d/comps.mat", comps=COMPS.T)
    fails("d", "d/comps.mat: comps: shape [2, 4] found, expected [n, 2]")
    mat73("d/comps.mat", other=COMPS)
    fails("d", "d/comps.mat: no variable 'comps' found")
    write("d/comps.mat", "no MAT file")
    fails("d", "d/comps.mat")
    with open("d/comps.mat", "wb") as file:
        file.write(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49) + b"\xff" * 40)
    fails("d", "d/comps.mat")


def wrong_folders():
    fails("nowhere", "nowhere: No such file or directory")
    os.mkdir("d")
    fails("d", "d: no comps.mat, pairs.csv or pairs.npy found")
    mat5("d/comps.mat", comps=COMPS)
    fails("d", "d: no file named imageNNNN.tif found")
    write("d/pairs.csv", "image,template\n")
    fails("d", "both comps.mat and pairs.csv found")
    fails("d", "pairs.txt: expected a file of pairs", options=["--pairs", "pairs.txt"])
    write("file", "")
    fails("file", "file: Not a directory")


def storage_and_type():
    export("d", IMAGES, TEMPLATES, COMPS)
    with imported("d", "out.h5", "--chunk", "8,1000", "--compress", "4", "--dtype", "f64") as file:
        image = file["images/0"]
        assert image.chunks == (8, 40) and image.compression == "gzip" and image.compression_opts == 4
        assert same(image[:], IMAGES[0].astype("f8")) and file["templates/2"].dtype == "f8"
    with imported("d", "out.h5", "--compress", "1") as file:
        assert file["images/0"].chunks == (30, 40) and same(file["images/3"][:], IMAGES[3])


def conversion_rounds_and_never_wraps():
    values = {"f4": [[0, 1.5, 2.5, -3.49, 100]], "u1": [[0, 1, 127, 128, 255]], "f8": [[1e300, 1, 2, 3, 4]],
              "i4": [[-1, 70000, 3, 4, 5]], "f2": [[np.inf, np.nan, 1, 2, 65504]]}
    arrays = {i: np.array(rows, code) for i, (code, rows) in enumerate(values.items())}
    export("d", arrays, {0: TEMPLATES[1].astype("i2")}, np.array([[i, 0] for i in range(5)]))
    for dtype, taken in (("i16", [0, 1]), ("u8", [1]), ("f32", [0, 1, 3, 4]), ("f16", [0, 1, 4]), ("f64", range(5)),
                         ("i32", [0, 1, 3])):
        template = dtype != "u8"
        lost = 5 - len(list(taken)) + (not template)
        with imported("d", "out.h5", "--dtype", dtype, code=6 if lost else 0, warnings=lost) as file:
            assert sorted(int(i) for i in file["images"]) == list(taken), (dtype, file.words)
            for i in taken:
                expected = np.rint(arrays[i].astype("f8")) if dtype[0] != "f" else arrays[i]
                assert same(file[f"images/{i}"][:], expected.astype({"i16": "i2", "u8": "u1", "f32": "f4", "f16": "f2",
                                                                     "f64": "f8", "i32": "i4"}[dtype])), (dtype, i)
    done = tool("import", "d", "out.h5", "--overwrite", "--dtype", "u8")
    assert "d/image0000.tif: pixel (0, 3) is -3.49, which --dtype u8 cannot hold; left out" in done.stderr, done.stderr


def existing_outputs():
    export("d", IMAGES, TEMPLATES, COMPS)
    imported("d").close()
    done = tool("import", "d", "out.h5")
    assert done.returncode == 4 and "out.h5: exists already" in done.stderr, done.stderr
    assert tool("import", "d", "out.h5", "--overwrite").returncode == 0
    assert tool("import", "d", "no/out.h5").returncode == 4
    assert sorted(os.listdir(".")) == ["d", "out.h5"]


main(every_mat_version, numbers_in_fewer_bytes, expected_values_may_be_absent_or_turned, missing_and_broken_files,
     names_that_do_not_count, wrong_tables, wrong_folders, storage_and_type, conversion_rounds_and_never_wraps,
     existing_outputs)
