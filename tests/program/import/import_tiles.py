#!/usr/bin/env python3
"""Tiles with a CSV file of pairs or of template boxes; what is wrong in it is told by line: import_tiles.py MPIXCORR"""
import os

import numpy as np
from PIL import Image

from import_common import RNG, fails, imported, main, names, pixels, same, tiff, tool, write

A, B, C = (pixels(RNG, "u1", shape) for shape in ((30, 40), (28, 44), (10, 12)))


def tiles():
    os.makedirs("d/sub", exist_ok=True)
    tiff("d/b tile.tif", B)
    Image.fromarray(A).save("d/a.png")
    tiff("d/sub/c.tif", C)


def pairs_of_files():
    tiles()
    write("d/pairs.csv", "image,template\na.png,sub/c.tif\nb tile.tif,sub/c.tif\na,a.png\n")
    with imported("d") as file:
        # ids follow the sorted names as they are written: "a" and "a.png" are two images
        assert names(file["image_names"]) == ["a.png", "a.png", "b tile.tif"]
        assert names(file["template_names"]) == ["a.png", "sub/c.tif"]
        assert same(file["images/0"][:], A) and same(file["images/2"][:], B) and same(file["templates/1"][:], C)
        assert file["pairs"][:].tolist() == [[1, 1], [2, 1], [0, 0]]
        assert "search" not in file and "expected" not in file


def boxes_store_no_pixel_twice():
    tiles()
    write("d/pairs.csv", "template,image,cols,rows,x,y\n"
          "b tile,a,10,9,3,5\nb tile,a,10,9,3,5\na,b tile,4,4,36,26\nb tile,sub/c,10,9,3,5\n")
    with imported("d") as file:
        assert names(file["image_names"]) == ["a.png", "b tile.tif", "sub/c.tif"]
        assert file["templates"][:].tolist() == [[0, 26, 36, 4, 4], [1, 5, 3, 9, 10]]
        assert names(file["template_names"]) == ["a.png[26:30,36:40]", "b tile.tif[5:14,3:13]"]
        assert file["pairs"][:].tolist() == [[0, 1], [0, 1], [1, 0], [2, 1]]


def boxes_off_their_tile():
    tiles()
    write("d/pairs.csv", "image,template,y,x,rows,cols\na,b tile,0,0,28,44\nb tile,a,0,1,30,40\na,gone,0,0,1,1\n")
    with imported("d", code=6, warnings=2) as file:
        assert "the box at (0, 1) of 30 x 40 pixels does not lie on a.png of 30 x 40; left out" in file.words
        assert "d/gone: not found, but d/pairs.csv refers to it; left out" in file.words
        assert file["templates"][:].tolist() == [[1, 0, 0, 28, 44]]
        assert file["pairs"][:].tolist() == [[0, 0], [1, -1], [0, -1]]
    fails("d", "d/gone: not found", options=["--strict"])


def windows_and_expected_values():
    tiles()
    write("d/pairs.csv", "\ufeffimage,template,y0,x0,y1,x1,expected_y,expected_x,expected_peak,note\r\n"
          'a.png,"sub/c.tif",0,1,20,30,5,6,0.5,"a ""quoted"", note"\r\n\r\n b tile.tif , sub/c.tif,1,1,2,2,,, ,"two\nlines"')
    with imported("d") as file:
        assert file["search"][:].tolist() == [[0, 1, 20, 30], [1, 1, 2, 2]]
        assert file["expected/coords"][:].tolist() == [[5, 6], [-1, -1]]
        assert file["expected/peaks"][0] == 0.5 and np.isnan(file["expected/peaks"][1])
        assert file["pairs"][:].tolist() == [[0, 0], [1, 0]]


def another_table():
    tiles()
    write("other.csv", "image,template\na,sub/c\n")
    write("d/pairs.csv", "image,template\n")
    with imported("d", "out.h5", "--pairs", "other.csv") as file:
        assert len(file["pairs"]) == 1
    with imported("d") as file:
        assert len(file["pairs"]) == 0 and len(file["images"]) == 0


def errors_name_the_line():
    tiles()
    good = "image,template,y,x,rows,cols,y0,x0,y1,x1,expected_y,expected_x,expected_peak\n"
    line = "a,b tile,0,0,5,5,0,0,9,9,1,1,0.5\n"
    for text, words in (
            ("", "nothing found, expected a line of column names"),
            ("image;template\na;b\n", "line 1: no column 'image' found"),
            ("image\na\n", "line 1: no column 'template' found"),
            ("image,template,y,x\na,b,1,2\n", "column x found without column cols"),
            ("image,template,expected_y\na,b,1\n", "column expected_y found without column expected_x"),
            (good + line + "a,b tile\n", "line 3: 2 cells found, expected 13 as in the header"),
            (good + "\n" + line + line.replace("5,5", "5,five"), "line 4: column cols: 'five' found, expected an integer"),
            (good + line.replace("5,5", "5,"), "line 2: column cols: '' found, expected an integer"),
            (good + line.replace("5,5", "0,5"), "line 2: column rows: 0 found, expected at least 1"),
            (good + line.replace("tile,0", "tile,-1"), "line 2: column y: -1 found, expected at least 0"),
            (good + line.replace("9,9", "9,0"), "line 2: window (0, 0, 9, 0) found"),
            (good + line.replace("0.5", "high"), "line 2: column expected_peak: 'high' found, expected a number"),
            (good + line.replace("a,", ","), "line 2: column image: nothing found, expected a file name"),
            (good + '"a,b\n' + line, "line 2: a quote that is not closed"),
            (good + '"a"b,c\n' + line, "line 2: a quote that is not closed, or text behind one"),
            (good + "a\0b\n", "a zero byte found")):
        write("d/pairs.csv", text)
        fails("d", "d/pairs.csv: ", words)


def boxes_run_as_templates_do():
    """The whole way: boxes by CSV give the results of the same templates as files."""
    tiles()
    tiff("d/part.tif", B[5:14, 3:13])
    write("boxes.csv", "image,template,y,x,rows,cols\na,b tile,5,3,9,10\nb tile,b tile,5,3,9,10\n")
    write("files.csv", "image,template\na,part\nb tile,part\n")
    for table in ("boxes", "files"):
        imported("d", f"{table}.h5", "--pairs", f"{table}.csv").close()
        done = tool("run", f"{table}.h5", f"{table}.out.h5", "--progress", "none")
        assert done.returncode == 0, done.stderr
    done = tool("compare", "boxes.out.h5", "files.out.h5", "--peak-tolerance", "0")
    assert done.returncode == 0, done.stdout


main(pairs_of_files, boxes_store_no_pixel_twice, boxes_off_their_tile, windows_and_expected_values, another_table,
     errors_name_the_line, boxes_run_as_templates_do)
