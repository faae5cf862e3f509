"""`--resume --retry STATUS`: rows of that status are done again, also of a complete output, and nothing else is; the
result is what a run gives that found everything there."""
import os
import sys
import tempfile

from formats_common import h5py, launch, named_input, np, on_ranks, results, scene
from launch import MPIXCORR


def run(input, output, ranks=1, options=()):
    return launch(on_ranks(ranks) + [MPIXCORR, "run", input, output, "--progress", "none", *options])


def statuses(path):
    with h5py.File(path, "r") as file:
        return file["status"][()]


def expect(what, done, code, words=""):
    assert done.returncode == code and words in done.stdout + done.stderr, (what, done.returncode, done.stdout, done.stderr)


def main():
    images, boxes, pairs = scene()
    with tempfile.TemporaryDirectory() as folder:
        input, output, whole = (os.path.join(folder, name) for name in ("in.h5", "out.h5", "whole.h5"))
        names = [f"{i}.npy" for i in range(len(images))]
        for name, image in zip(names, images):
            np.save(os.path.join(folder, name), image)
        named_input(input, names, boxes, pairs)
        expect("all there", run(input, whole), 0)
        away = [os.path.join(folder, names[i]) for i in (1, 4)]
        for path in away:
            os.rename(path, path + ".away")
        lost = np.isin(pairs, (1, 4)).any(axis=1)
        retry, again = ["--resume", "--retry", "unreadable"], lambda ranks, options: run(input, output, ranks, options)
        expect("two away", run(input, output, 2), 6)
        assert np.array_equal(statuses(output) == 4, lost)
        before = results(output)
        expect("without --resume", again(1, ["--retry", "unreadable"]), 2, "--retry found without --resume, expected both")
        expect("no such", again(1, ["--resume", "--retry", "ok"]), 2, "expected one of unreadable")
        expect("another status", again(1, ["--resume", "--retry", "nonfinite"]), 6)
        expect("still away", again(2, retry), 6)
        assert results(output) == before and not os.path.exists(output + ".part")
        os.rename(output, output + ".part")  # killed after its first step, and after its last
        expect("a part that is complete", again(1, ["--resume"]), 6)
        assert results(output) == before and not os.path.exists(output + ".part")
        os.rename(output, output + ".part")
        with h5py.File(output + ".part", "r+") as file:
            file["status"][lost] = 0
        os.rename(away[0] + ".away", away[0])
        expect("what was stopped goes on", again(2, ["--resume"]), 6)
        assert np.array_equal(statuses(output) == 4, np.isin(pairs, 4).any(axis=1))
        expect("left alone", again(1, ["--resume"]), 6)
        os.rename(away[1] + ".away", away[1])
        done = run(input, output, 1, retry + ["--dry-run"])
        expect("a dry run", done, 0, f"work     {np.isin(pairs, 4).any(axis=1).sum()} pairs")
        expect("all there again", again(3, retry), 0)
        assert results(output) == results(whole)
        expect("nothing left to do", again(1, retry), 0)
    print("rows that could not be read were done again")


if __name__ == "__main__":
    sys.exit(main())
