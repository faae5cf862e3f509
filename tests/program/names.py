#!/usr/bin/env python3
"""Names are bytes: whatever files and objects are called, commands that are printed can be pasted, lines stay lines,
pictures are drawn, and files are UTF-8."""
import csv
import io
import json
import os
import subprocess

from cases import main
from launch import MPIXCORR, PATIENCE_S, h5py, np

IMAGES = np.random.default_rng(1).normal(size=(3, 30, 34)).astype("f4")
NAMES = [b"it's  a \"quoted\" name", b"$HOME `id` \\x", b"new\nline", b"\x1b[31mred\x07", b"Pr\xf6be; cut \xe2\x82",
         "Präparat €, & more".encode(), b"see --overview", b"-dash", b"\xc2\x9bC1"]


def program(*words, code=0, **environment):
    done = subprocess.run([MPIXCORR, *words], capture_output=True, timeout=PATIENCE_S, check=False,
                          env={**os.environ, **environment})
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    for text in done.stdout, done.stderr:
        lines = text.decode("utf-8")  # else no UTF-8
        assert not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in lines), (words, lines)
    return done


def make_input(path, names=None):
    with h5py.File(path, "w") as file:
        file["images"] = IMAGES
        file["templates"] = IMAGES[:, 8:17, 10:21]
        file["pairs"] = [(i, i) for i in range(3)]
        if names:
            file["image_names"] = np.array(names, "S")
            file["template_names"] = np.array(names[::-1], "S")


def resume_hints():
    for name in NAMES:
        source, output = b"./" + name + b".h5", b"./out " + name
        make_input(source)
        done = program("run", source, output, "--overwrite", "--progress", "none", code=75, SLURM_JOB_END_TIME="1000")
        hint = [line for line in done.stdout.decode().split("\n") if line.startswith("resume ")]
        assert len(hint) == 1, done.stdout
        command = hint[0].split("go on with: ")[1]
        assert command.startswith("mpixcorr run ") and "--overwrite" not in command
        again = subprocess.run(["bash", "-c", command.replace("mpixcorr", MPIXCORR, 1)], capture_output=True, check=False)
        assert again.returncode == 0 and os.path.exists(output), (command, again)


def launch_lines():
    for name in NAMES:
        source, output = b"./" + name + b".h5", b"./out " + name
        make_input(source)
        program("run", source, output, "--dry-run", "--report", "plan.json")
        with open("plan.json", encoding="utf-8") as file:
            command = json.load(file)["launch"]["mpirun"]
        command = "mpixcorr run" + command.split("mpixcorr run")[1]
        done = subprocess.run(["bash", "-c", command.replace("mpixcorr", MPIXCORR, 1)], capture_output=True, check=False)
        assert done.returncode == 0 and os.path.exists(output), (command, done)


def errors_are_one_line():
    for name in NAMES:
        for words in (["run", b"./no " + name, "out.h5"], ["info", b"./no " + name], ["table", b"./no " + name],
                      ["import", b"./no " + name, "out.h5"], [b"no " + name], ["run", "a", "b", b"--" + name]):
            done = program(*words, code=3 if words[0] in ("run", "info", "table", "import") and len(words) < 4 else 2)
            assert done.stderr.count(b"\n") == 1, done.stderr


def tables():
    make_input("in.h5", NAMES[:3])
    for i in range(0, len(NAMES), 3):
        names = NAMES[i:i + 3]
        make_input("in.h5", names)
        program("run", "in.h5", "out.h5", "--overwrite", "--progress", "none")
        lines = program("table", "out.h5").stdout.decode().splitlines()
        assert len(lines) == 4 and len({len(line) for line in lines[1:]}) == 1, lines
        text = program("table", "out.h5", "--csv").stdout.decode()
        assert text.count("\n") == 4, text
        rows = list(csv.DictReader(io.StringIO(text)))
        for row in rows:
            name = names[int(row["image"])]
            shown = "".join(f"\\x{ord(c):02x}" if ord(c) < 32 else c for c in name.decode("utf-8", "backslashreplace"))
            assert row["image_name"] == shown or name == NAMES[-1], (row, shown)
        program("info", "in.h5")
    # as many bytes as fit and one more, so that something is cut within a character
    for n in range(34, 40):
        make_input("in.h5", [b"x" * n + "ä".encode() * 200] * 3)
        program("run", "in.h5", "out.h5", "--overwrite", "--progress", "none")
        lines = program("table", "out.h5").stdout.decode().splitlines()
        assert len({len(line) for line in lines[1:]}) == 1, lines


def pictures():
    def picture():
        with open("map.png", "rb") as file:
            return len(file.read())
    make_input("in.h5")
    program("map", "in.h5", "map.png", "--pair", "0", "--overwrite")
    plain = picture()
    for name in [*NAMES, b"P" + "ä".encode() * 200, b"PP" + "ä".encode() * 200, "€".encode() * 3000]:
        make_input("in.h5", [name] * 3)
        program("map", "in.h5", "map.png", "--pair", "0", "--overwrite")
        assert picture() > 0.9 * plain, (name, picture(), plain)
        if len(name) < 200:
            make_input(b"./" + name)
            program("map", b"./" + name, "map.png", "--pair", "0", "--overwrite")
            assert picture() > 0.9 * plain, (name, picture(), plain)


def files_are_utf8():
    for name in NAMES:
        source, output = b"./" + name + b".h5", b"./out " + name
        make_input(source)
        program("run", source, output, "--report", b"./" + name + b".json", "--progress", "none")
        with open(b"./" + name + b".json", encoding="utf-8") as file:
            report = json.load(file)
        shown = (name + b".h5").decode("utf-8", "backslashreplace")
        assert report["input"] == "./" + shown, report["input"]
        with h5py.File(output, "r") as file:
            for value in file.attrs.values():
                if isinstance(value, bytes):
                    value.decode("utf-8")
            assert os.path.basename(file.attrs["input_path"].decode("utf-8")) == shown
        # it is found again, for names and ties
        done = program("map", source, "map.h5", "--pair", "0", "--overwrite")
        with h5py.File("map.h5", "r") as file:
            assert os.path.basename(file.attrs["input_path"].decode("utf-8")) == shown, done
        with h5py.File(source, "r+") as file:
            file["image_names"] = np.array([b"first"] * 3)
        if b"\\x" not in name:
            assert b"first" in program("table", output).stdout, name
    os.mkdir("d")
    grey = np.random.default_rng(1).integers(0, 255, (30, 34), "u1")
    for name in NAMES:
        write_tiff(b"d/" + name + b".tif", grey)
    with open("d/pairs.csv", "wb") as file:
        file.write(b"image,template,y,x,rows,cols\n")
        for name in NAMES:
            file.write(b'"' + name.replace(b'"', b'""') + b'","' + name.replace(b'"', b'""') + b'",1,2,5,6\n')
    program("import", "d", "i.h5")
    with h5py.File("i.h5", "r") as file:
        names = [name.decode("utf-8") for name in file["image_names"][:]]
        assert sorted(names) == sorted((name + b".tif").decode("utf-8", "backslashreplace") for name in NAMES), names


def write_tiff(path, pixels):
    rows, cols = pixels.shape
    tags = [(256, cols), (257, rows), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, rows), (279, pixels.size)]
    with open(path, "wb") as file:
        file.write(b"II*\0" + (8 + pixels.size).to_bytes(4, "little") + pixels.tobytes() + len(tags).to_bytes(2, "little"))
        for tag, value in tags:
            file.write(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little"))
        file.write(bytes(4))


if __name__ == "__main__":
    main(resume_hints, launch_lines, errors_are_one_line, tables, pictures, files_are_utf8)
