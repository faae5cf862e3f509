"""What the Python tests of input and output files share. Skips (77) without the Python modules."""
import sys

from cases import main  # noqa: F401
from launch import PATIENCE_S, h5py, launch, np  # noqa: F401

TOOL = sys.argv[1]
DTYPES = {"u8": "u1", "i8": "i1", "u16": "u2", "i16": "i2", "u32": "u4", "i32": "i4",
          "f16": "f2", "f32": "f4", "f64": "f8"}
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}


def tool(*arguments, timeout=PATIENCE_S):
    return launch([TOOL, *arguments], timeout)


def pixels(rng, dtype, shape):
    """Pixels that use the whole range of an integer type, and both signs of a float."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return (rng.standard_normal(shape) * 100).astype(dtype)
    bounds = np.iinfo(dtype)
    return rng.integers(bounds.min, bounds.max, shape, dtype=dtype.newbyteorder("="), endpoint=True).astype(dtype)


class Dump:
    """`io_tool dump`, parsed."""

    def __init__(self, path):
        done = tool("dump", path)
        assert done.returncode == 0, done.stderr
        self.image, self.template = {}, {}
        self.pairs, self.windows, self.coords, self.peaks, self.names = [], [], [], [], ([], [])
        for line in done.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word in ("image", "template"):
                number, rows, cols, dtype, data = rest.split(" ", 4)
                if data.startswith("unreadable"):
                    getattr(self, word)[int(number)] = data
                    continue
                array = np.frombuffer(bytes.fromhex(data), DTYPES[dtype]).reshape(int(rows), int(cols))
                getattr(self, word)[int(number)] = array
            elif word == "pair":
                self.pairs.append([int(x) for x in rest.split()])
            elif word == "window":
                self.windows.append([int(x) for x in rest.split()])
            elif word == "coords":
                self.coords.append([int(x) for x in rest.split()])
            elif word == "peak":
                self.peaks.append(float(rest))
            elif word == "name":
                kind, _, name = rest.partition(" ")
                self.names[int(kind)].append(name)
            elif word == "fingerprint":
                self.fingerprint = rest


def same(found, expected):
    """Same type, shape and bits."""
    expected = np.ascontiguousarray(expected.astype(expected.dtype.newbyteorder("=")))
    return found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes()
