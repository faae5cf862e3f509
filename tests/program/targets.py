#!/usr/bin/env python3
"""No command writes over a file that it reads, nor over anything but a file; a link as a target is followed.

Every command, every file that it reads, as each of its targets, by the same path, another one, a hard link and a
symbolic link: exit 4, one line, and every byte in the folder as before."""
import os
import socket
import stat
import struct
import zlib

from cases import main
from launch import MPIXCORR, h5py, launch, np

RNG = np.random.default_rng(1)
IMAGES = RNG.normal(size=(3, 30, 34)).astype("f4")

# words of the command, T stands for the target; files that it reads
RUN = ("run", "in.h5")
COMMANDS = [
    ([*RUN, "T", "--overwrite"], ["in.h5"]),
    ([*RUN, "new.h5", "--report", "T"], ["in.h5"]),
    ([*RUN, "new.h5", "--wisdom", "T"], ["in.h5"]),
    ([*RUN, "new.h5", "--dry-run", "--report", "T"], ["in.h5"]),
    (["run", "linked.h5", "T", "--overwrite"], ["linked.h5", "images.h5"]),
    (["run", "linked.h5", "new.h5", "--report", "T"], ["linked.h5", "images.h5"]),
    (["run", "linked.h5", "new.h5", "--wisdom", "T"], ["linked.h5", "images.h5"]),
    (["run", "virtual.h5", "T", "--overwrite"], ["virtual.h5", "images.h5"]),
    (["run", "virtual.h5", "new.h5", "--report", "T"], ["images.h5"]),
    (["run", "external.h5", "T", "--overwrite"], ["external.h5", "pixels.raw"]),
    (["run", "external.h5", "new.h5", "--report", "T"], ["pixels.raw"]),
    (["map", "in.h5", "T", "--pair", "0", "--overwrite"], ["in.h5"]),
    (["map", "linked.h5", "T", "--pair", "0", "--overwrite"], ["linked.h5", "images.h5"]),
    (["map", "in.h5", "T", "--pair", "0", "--results", "out.h5", "--overwrite"], ["in.h5", "out.h5"]),
    (["import", "d", "T", "--overwrite"], ["d/pairs.csv", "d/a.tif", "d/b.png"]),
    (["import", "d", "T", "--overwrite", "--strict"], ["d/pairs.csv", "d/a.tif", "d/b.png"]),
    (["import", "n", "T", "--overwrite"], ["n/pairs.npy", "n/images.npy", "n/templates.npy"]),
    (["import", "m", "T", "--overwrite"], ["m/comps.mat", "m/image0000.tif", "m/templ0000.tif"]),
    (["compare", "out.h5", "in.h5", "--report", "T"], ["in.h5", "out.h5"]),
    (["compare", "out.h5", "out2.h5", "--report", "T"], ["in.h5", "out.h5", "out2.h5"]),
]


def tiff(path, pixels):
    """A grey TIFF of 8 bits, without a library."""
    rows, cols = pixels.shape
    data = pixels.tobytes()
    tags = [(256, 4, cols), (257, 4, rows), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
            (278, 4, rows), (279, 4, len(data))]
    with open(path, "wb") as file:
        file.write(b"II*\0" + (8 + len(data)).to_bytes(4, "little") + data + len(tags).to_bytes(2, "little"))
        for tag, kind, value in tags:
            file.write(tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + (1).to_bytes(4, "little") +
                       value.to_bytes(4, "little"))
        file.write(bytes(4))


def png(path, pixels):
    rows, cols = pixels.shape
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", cols, rows, 8, 0, 0, 0, 0)),
              (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))), (b"IEND", b"")]
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks))


def rest(file):
    file["templates"] = IMAGES[:, 8:17, 10:21]
    file["pairs"] = [(i, i) for i in range(3)]


def prepare():
    with h5py.File("in.h5", "w") as file:
        file["images"] = IMAGES
        rest(file)
        file["expected/coords"] = [(16, 20)] * 3
        file["expected/peaks"] = np.ones(3)
    with h5py.File("images.h5", "w") as file:
        for i in range(3):
            file[f"{i}"] = IMAGES[i]
    with h5py.File("linked.h5", "w") as file:
        for i in range(3):
            file[f"images/{i}"] = h5py.ExternalLink("images.h5", f"/{i}")
        rest(file)
    with h5py.File("virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(IMAGES.shape, "f4")
        for i in range(3):
            layout[i] = h5py.VirtualSource("images.h5", f"{i}", shape=IMAGES.shape[1:])
        file.create_virtual_dataset("images", layout)
        rest(file)
    with open("pixels.raw", "wb") as file:
        file.write(IMAGES.tobytes())
    with h5py.File("external.h5", "w") as file:
        file.create_dataset("images", IMAGES.shape, "f4", external=[("pixels.raw", 0, IMAGES.nbytes)])
        rest(file)
    grey = RNG.integers(0, 255, (30, 34), "u1")
    for folder in "dnm":
        os.mkdir(folder)
    tiff("d/a.tif", grey)
    png("d/b.png", grey[8:17, 10:21])
    with open("d/pairs.csv", "w") as file:
        file.write("image,template\na,b\n")
    np.save("n/images.npy", IMAGES)
    np.save("n/templates.npy", IMAGES[:, 8:17, 10:21])
    np.save("n/pairs.npy", np.array([[0, 0]]))
    tiff("m/image0000.tif", grey)
    tiff("m/templ0000.tif", grey[8:17, 10:21])
    with h5py.File("m/comps.mat", "w") as file:
        file["comps"] = np.array([[0.0], [0.0]])
    for name in "out.h5", "out2.h5":
        assert program(*RUN, name).returncode == 0
    with h5py.File("out2.h5", "r+") as file:  # so that compare looks at the pixels for ties
        file["coords"][0] = 3, 4


def program(*words):
    more = ["--progress", "none", "--threads", "1"] if words[0] == "run" else []
    return launch([MPIXCORR, *words, *more], env={**os.environ, "XDG_CACHE_HOME": os.getcwd() + "/cache"})


def snapshot():
    """Everything here but the cache: kind, and bytes or destination."""
    found = {}
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name != "cache"]
        for name in names:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            what = os.readlink(path) if stat.S_ISLNK(mode) else open(path, "rb").read() if stat.S_ISREG(mode) else ""
            found[path] = (stat.S_IFMT(mode), what)
    return found


def refused(words, code=(4,), why=""):
    before = snapshot()
    done = program(*words)
    assert done.returncode in code, (words, done.returncode, done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("mpixcorr: "), (words, done.stderr)
    assert why in done.stderr, (words, done.stderr)
    after = snapshot()
    assert after == before, (words, [path for path in {*before, *after} if before.get(path) != after.get(path)])


def names_of(path, suffix):
    """The same file by other names; each is removed afterwards."""
    yield path
    yield os.path.join(os.getcwd(), path)
    yield f"d/../{path}"
    for make in os.link, lambda a, b: os.symlink(os.path.abspath(a), b):
        name = f"other{suffix}"
        make(path, name)
        yield name
        os.remove(name)
    os.symlink(os.path.abspath(path), "first")
    os.symlink("first", f"second{suffix}")
    yield f"second{suffix}"
    os.remove("first")
    os.remove(f"second{suffix}")


def over_what_is_read():
    n, seen = 0, set()
    for words, files in COMMANDS:
        kind = words[0], words[words.index("T") - 1].startswith("-")
        for path in files:
            # map looks at the name of its target; once by every name is enough for each kind of target
            for suffix in (".h5", ".png") if words[0] == "map" else ("",):
                for i, name in enumerate(names_of(path, suffix)):
                    if (kind in seen and i not in (0, 3)) or not name.endswith(suffix):
                        continue
                    refused([name if word == "T" else word for word in words])
                    n += 1
        seen.add(kind)
    print(f"    {n} cases")


def over_what_is_read_by_a_sidecar():
    for suffix in ".part", ".part.new", ".part.lock":
        for make in os.link, lambda a, b: os.symlink(os.path.abspath(a), b), os.rename:
            name = "new.h5" + suffix
            make("in.h5", name)
            source = "in.h5" if os.path.exists("in.h5") else name
            for mode in ["--overwrite"], ["--resume"], []:
                refused(["run", source, "new.h5", *mode], code=(3, 4))
            os.rename(name, "in.h5") if source == name else os.remove(name)


def over_no_file():
    os.mkfifo("pipe")
    os.mkdir("folder")
    socket.socket(socket.AF_UNIX).bind("socket")
    things = {"pipe": "a pipe", "folder": "a directory", "socket": "a socket", "/dev/null": "a device"}
    os.symlink("/dev/null", "null.png")
    os.symlink("pipe", "pipe.h5")
    for name, what in things.items():
        for words in ([*RUN, name, "--overwrite"], [*RUN, name, "--resume"], [*RUN, name], [*RUN, "new.h5", "--report", name],
                      [*RUN, "new.h5", "--wisdom", name], ["generate", name, "--preset", "tiny", "--images", "1", "--overwrite"],
                      ["import", "d", name, "--overwrite"], ["compare", "out.h5", "out2.h5", "--report", name]):
            refused(words, why=f"{what} found")
    for name in "null.png", "pipe.h5":
        refused(["map", "in.h5", name, "--pair", "0", "--overwrite"], why="found")
    os.symlink("a", "b")
    os.symlink("b", "a")
    refused([*RUN, "a", "--overwrite"], why="do not end")
    for name in "pipe", "socket", "null.png", "pipe.h5", "a", "b":
        os.remove(name)
    os.rmdir("folder")


def one_file_for_two():
    refused([*RUN, "new.h5", "--report", "./new.h5"], why="both OUTPUT and --report")
    refused([*RUN, "new.h5", "--report", "new.h5.part"], why="both OUTPUT.part and --report")
    refused([*RUN, "new.h5", "--report", "same", "--wisdom", "d/../same"], why="both --report and --wisdom")


def links_are_followed():
    os.mkdir("far")
    for words, name in ((["generate", "T", "--preset", "tiny", "--images", "1"], "g.h5"), ([*RUN, "T"], "r.h5"),
                        ([*RUN, "x.h5", "--report", "T"], "r.json"), (["map", "in.h5", "T", "--pair", "0"], "m.h5"),
                        (["map", "in.h5", "T", "--pair", "0"], "m.png"), (["import", "d", "T"], "i.h5")):
        os.symlink(f"far/{name}", name)
        for more in ([], ["--overwrite"]):
            if "--report" in words and more:
                continue
            done = program(*[name if word == "T" else word for word in words], *more)
            assert done.returncode == 0, (words, done.stderr)
            assert os.readlink(name) == f"far/{name}" and os.listdir("far") == [name], (words, os.listdir("far"))
        os.remove(f"far/{name}")
        os.remove(name)
    # a partial output lies beside where the output will lie
    os.symlink("far/r.h5", "r.h5")
    assert program(*RUN, "r.h5", "--time-limit", "0.001").returncode == 75
    assert os.listdir("far") == ["r.h5.part"], os.listdir("far")
    assert program(*RUN, "r.h5", "--resume").returncode == 0 and os.listdir("far") == ["r.h5"]


def resumed_by_the_name_of_the_part():
    assert program(*RUN, "p.h5", "--time-limit", "0.001").returncode == 75 and os.path.exists("p.h5.part")
    for name in "p.h5.part", "./p.h5.part":
        os.path.exists("p.h5") and os.rename("p.h5", "p.h5.part")
        with h5py.File("p.h5.part", "r+") as file:
            file["status"][:] = 0
            file["run"]["complete"] = 0
        done = program(*RUN, name, "--resume")
        assert done.returncode == 0 and os.path.exists("p.h5") and not os.path.exists("p.h5.part"), done.stderr
    # a complete output may be called so, and there may be a part of it
    assert program(*RUN, "c.part").returncode == 0 and program(*RUN, "c.part", "--resume").returncode == 0
    assert program(*RUN, "q.part", "--time-limit", "0.001").returncode == 75
    assert program(*RUN, "q.part", "--resume").returncode == 0 and os.path.exists("q.part"), os.listdir()


if __name__ == "__main__":
    main(over_what_is_read, over_what_is_read_by_a_sidecar, over_no_file, one_file_for_two, links_are_followed,
         resumed_by_the_name_of_the_part, prepare=prepare)
