#!/usr/bin/env python3
"""On a terminal: help and tables as wide as it is, colours unless NO_COLOR, a bar also where mpirun stands between."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from look_common import MPIXCORR, PATIENCE_S, h5py, main, on_ranks, program, run

COLOURS = re.compile(r"\033\[[0-9;]*m")


def on_terminal(columns, *command, stdout=True, **environment):
    """What a command shows on a terminal of that width; with stdout=False only its errors go there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm", **environment}
    env.pop("NO_COLOR", None) if "NO_COLOR" not in environment else None
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs if stdout else subprocess.DEVNULL, stderr=theirs, env=env)
    os.close(theirs)
    shown, end = b"", time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            some = os.read(ours, 65536)
        except OSError:  # all ends of the other side are closed
            break
        shown += some
        if not some:
            break
    child.wait(timeout=PATIENCE_S)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def widest(text):
    return max(len(COLOURS.sub("", line)) for line in text.splitlines())


def help_fits(folder):
    for columns in (50, 66, 100, 150):
        for command in (("--help",), ("run", "--help")):
            text = on_terminal(columns, MPIXCORR, *command)
            text = text.split("examples:")[0]  # these are to be copied, and stay in one piece
            long_words = [word for word in text.split() if len(word) > columns - 6]
            assert long_words or widest(text) <= columns, f"{command}: {widest(text)} columns on {columns}"
            if columns > 100:
                assert widest(text) > 80 or command[0] == "--help", f"{command}: {widest(text)} columns only on {columns}"
    assert on_terminal(80, MPIXCORR, "run", "--help").count("\033[1m") >= 4
    assert "\033" not in on_terminal(80, MPIXCORR, "run", "--help", NO_COLOR="1")
    assert "\033" not in on_terminal(80, MPIXCORR, "run", "--help", TERM="dumb")
    assert COLOURS.sub("", on_terminal(80, MPIXCORR, "run", "--help")).strip() == program("run", "--help").strip()


def errors_are_coloured(folder):
    assert on_terminal(80, MPIXCORR, "tabel").startswith("\033[1;31mmpixcorr:\033[0m unknown command")
    assert on_terminal(80, MPIXCORR, "tabel", NO_COLOR="yes").startswith("mpixcorr: unknown command")


def table_fits(folder):
    path = os.path.join(folder, "in.h5")
    program("generate", path, "--preset", "tiny", "--images", 2)
    with h5py.File(path, "a") as f:
        f["image_names"] = [f"a long folder/with section {i:04d}/tile number {i:06d}.tif" for i in range(2)]
        f["template_names"] = [f"ein längerer Ordner/und darin die Kachel {i:06d}.tif" for i in range(10)]
    output = run(folder, "in.h5", "out.h5")
    for columns in (100, 120, 160):
        text = on_terminal(columns, MPIXCORR, "table", output)
        assert widest(text) <= columns, f"{widest(text)} columns on {columns}"
        assert "00009.tif" in text or columns < 110, text  # their ends tell names apart
    whole = program("table", output)
    assert widest(whole) > 120, "a pipe has no width"


def bars(folder):
    for ranks in (0, 2):
        images, shown = 1000, ""
        while not shown:  # else over before the first bar was due
            path, output = (os.path.join(folder, f"{kind}{images}_{ranks}.h5") for kind in ("in", "out"))
            program("generate", path, "--preset", "tiny", "--images", images)
            command = [*on_ranks(ranks), MPIXCORR, "run", path, output, "--threads", "1"]
            shown = on_terminal(70, *command, stdout=False)
            images *= 4
            assert images < 10**6, f"{ranks} ranks: no bar"
        assert re.search(r"\r\[[#.]{24}\] \d+ of \d+ pairs", shown), f"{ranks} ranks: no bar in {shown!r}"
        assert all(len(COLOURS.sub("", part)) <= 70 for part in re.split(r"[\r\n]", shown.replace("\033[K", "")))
        command[command.index(output)] += "log"
        piped = on_terminal(70, "sh", "-c", '"$@" 2>&1 | cat', "-", *command)
        assert "\r[" not in piped, "a pipe is no terminal"


main(help_fits, errors_are_coloured, table_fits, bars)
