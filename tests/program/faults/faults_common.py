"""What the tests of faults share: an input, the undisturbed answer, runs that go wrong. Skips (77) without h5py."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from launch import MPIEXEC, MPIXCORR, PATIENCE_S, h5py, launch, np, on_ranks, skip  # noqa: F401

SHIM = os.environ["FAULT_SHIM"]

PAIR_S = 0.5  # what a pair takes at least in a run that crawls
PROMPT = {"MPIXCORR_SYNC_S": "0.02"}  # rows are on the disk, and can be seen, as soon as they are computed


def make_input(path="in.h5", images=24, templates=5, shape=(240, 250), template_shape=(120, 125), seed=1, chunks=None):
    """A few hand-outs for each of three ranks, done in a fraction of a second."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        for i in range(images):
            file.create_dataset(f"images/{i}", data=rng.integers(0, 255, shape, "u1"), chunks=chunks)
        file["templates"] = rng.integers(0, 255, (templates, *template_shape), "u1")
        file["pairs"] = np.array([(i, t) for i in range(images) for t in range(templates)])
    return images * templates


def small_input():
    return make_input(images=4, templates=3, shape=(40, 44), template_shape=(9, 8))


def command(*options, ranks=1, shim=None, input="in.h5", output="out.h5", wrap=()):
    """A run's command line; one rank needs no launcher."""
    launcher = on_ranks(ranks)
    environment = []
    if shim:
        settings = {"LD_PRELOAD": SHIM, "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        settings["FAULT_COMMAND"] = "--progress"  # the run alone, not the child that opens the input first
        settings.update({"FAULT_" + name.upper(): str(value) for name, value in shim.items()})
        if shim["call"] == "transform":  # of the work, not of planning
            settings["FAULT_AFTER"] = output + ".part"
        environment = ["env"] + [f"{name}={value}" for name, value in settings.items()]
    return launcher + environment + [*wrap, MPIXCORR, "run", input, output, "--progress", "none", "--threads", "1",
                                     *map(str, options)]


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.errors = [line for line in err.splitlines() if re.match("mpixcorr: (?!warning)", line)]
        self.words = f"exit {code}\n{out}\n{err}"
        # whatever the exit code, which may be a killed rank's
        assert "AddressSanitizer" not in err and "runtime error: " not in err, self.words


def crawl(first=8):
    """A run that takes PAIR_S a pair while the file `gate` exists, but for the first pairs of each rank: it is still
    going when the test strikes, on any machine."""
    make_gate()
    per_pair = transforms_per_pair()
    return {"call": "transform", "action": "nap", "gate": "gate", "nap_us": int(1e6 * PAIR_S / per_pair),
            "at": int(first * per_pair)}


def open_gate(gate="gate"):
    os.remove(gate)


def make_gate(gate="gate"):
    with open(gate, "w", encoding="ascii"):
        pass


def at_gate(rank, gate="gate"):
    return os.path.exists(f"{gate}.{rank}")


def transforms_per_pair():
    """Of in.h5, by an undisturbed run; remembered."""
    if not hasattr(transforms_per_pair, "found"):
        n = count_calls("transform", "")
        with h5py.File("in.h5", "r") as file:
            transforms_per_pair.found = n / len(file["pairs"])
    return transforms_per_pair.found


def run(*options, env=None, **how):
    done = launch(command(*options, **how), env={**os.environ, **(env or {})})
    return Done(done.returncode, done.stdout, done.stderr)


def count_calls(call, path, *options, after="", rank=0, **how):
    """How often an undisturbed run makes a call: its rank 0, or with rank="" all of them."""
    with open("count", "w", encoding="ascii"):
        pass
    done = run("--overwrite", *options, output="count.h5" if call == "transform" else "out.h5", **how,
               shim={"call": call, "path": path, "rank": rank, "after": after, "count": "count"})
    assert done.code in (0, 6) and os.path.getsize("count") > 0, done.words
    os.remove("count.h5" if call == "transform" else "out.h5")
    return os.path.getsize("count")


def logged(path="log"):
    """The calls that the library kept: (call, place, bytes, path, new path)."""
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    return [(call, int(offset), int(n), path, to) for call, offset, n, path, to in lines]


class Running:
    """A run under way, in a process group of its own, its words in files: nothing hangs on a pipe."""

    def __init__(self, *options, env=None, **how):
        self.out, self.err = (tempfile.TemporaryFile("w+", errors="replace") for _ in range(2))
        self.process = subprocess.Popen(command(*options, **how), stdout=self.out, stderr=self.err,
                                        env={**os.environ, **(env or {})}, start_new_session=True)

    def processes(self):
        """Ids of all processes of the program, children of ranks included."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.getsid(pid) != self.process.pid and self.parents(pid).count(self.process.pid) == 0:
                    continue
                if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(MPIXCORR):
                    found.append(pid)
            except OSError:  # it has ended meanwhile
                pass
        return found

    def ranks(self):
        """Process ids by rank."""
        found = {}
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    rank = re.search(rb"(?:^|\0)OMPI_COMM_WORLD_RANK=(\d+)", file.read())
                found[int(rank[1]) if rank else 0] = pid
            except OSError:
                pass
        return found

    @staticmethod
    def parents(pid):
        chain = []
        while pid > 1:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                pid = int(file.read().rsplit(")", 1)[1].split()[1])
            chain.append(pid)
        return chain

    def wait_until(self, condition, what, within_s=PATIENCE_S):
        until = time.monotonic() + within_s
        while not condition():
            assert self.process.poll() is None, f"ended before {what}: " + self.end().words
            if time.monotonic() > until:
                self.kill()
                raise AssertionError(f"never seen: {what}")
            time.sleep(0.01)

    def wait_for_rows(self):
        """Until results are on the disk, and more are missing: work is being done. The part is read while it grows."""
        def seen():
            if not os.path.exists("out.h5.part"):
                return False
            with h5py.File("out.h5.part", "r") as file:
                status = file["status"][()]
            return 0 < (status == 0).sum() < len(status)
        self.wait_until(seen, "the first rows")

    def end(self, timeout=PATIENCE_S):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            for pid in self.ranks().values():
                os.kill(pid, signal.SIGKILL)
            raise
        self.out.seek(0)
        self.err.seek(0)
        return Done(code, self.out.read(), self.err.read())

    def states(self):
        """What the kernel says of each rank: R, S, T ..."""
        found = []
        for pid in self.ranks().values():
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                found.append(file.read().rsplit(")", 1)[1].split()[0])
        return found

    def kill(self):
        """All of it, at once."""
        ranks = list(self.ranks().values())
        self.process.kill()
        for pid in ranks:
            os.kill(pid, signal.SIGKILL)
        self.end()
        self.wait_for_end_of_ranks()

    def wait_for_end_of_ranks(self):
        until = time.monotonic() + PATIENCE_S
        while self.ranks() and time.monotonic() < until:
            time.sleep(0.05)


def tables(path="out.h5"):
    with h5py.File(path, "r") as file:
        return {name: file[name][()].tobytes() for name in file if name != "run"}


def pending(path="out.h5.part"):
    with h5py.File(path, "r") as file:
        return int((file["status"][()] == 0).sum())


def reference(*options):
    """The undisturbed answer of in.h5; leaves no other file behind."""
    done = run("--overwrite", *options, output="reference.h5")
    assert done.code in (0, 6), done.words
    return tables("reference.h5")


def part_is_whole(n):
    """The part can be opened, and no row is done before its data."""
    with h5py.File("out.h5.part", "r") as file:
        status, coords = file["status"][()], file["coords"][()]
        assert len(status) == n
        assert (coords[status == 1] >= 0).all(), "a row is marked as done before its data are there"


def resumes_to(expected, *options, code=0, **how):
    done = run("--resume", *options, **how)
    assert done.code == code, done.words
    found = tables()
    assert set(found) == set(expected)
    for name in expected:
        assert found[name] == expected[name], f"/{name} differs from the undisturbed run"
    left = [name for name in os.listdir(".") if name.startswith("out.h5") and name != "out.h5"]
    assert not left, left


def says_how_to_resume(done):
    lines = [line for line in done.out.splitlines() if line.startswith(("resume", "time", "status", "done", "stopped"))]
    assert lines and lines[-1].startswith("resume   ") and lines[-1].endswith("--resume"), done.words


def main(cases):
    """Runs the named case in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.setdefault("XDG_CACHE_HOME", folder)
        cases[sys.argv[1]]()
        os.chdir("/")
    print(f"passed {sys.argv[1]}")

