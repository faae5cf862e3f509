"""What the tests share: reproducible images with templates in known places."""

import os
import tempfile

import numpy as np
import pytest

# Before the first call: the tests leave the user's cache of FFT planning alone.
_cache = tempfile.TemporaryDirectory(prefix="mpixcorr-cache-")
os.environ["XDG_CACHE_HOME"] = _cache.name


class Case:
    """Three images and six templates of one shape, cut from the images and noisy, and ten pairs in no order."""

    def __init__(self) -> None:
        random = np.random.default_rng(20240607)
        self.images = [_smooth(random, (61, 72)) for _ in range(3)]
        self.places = [(0, 5, 9), (0, 30, 40), (1, 0, 0), (1, 39, 47), (2, 17, 21), (2, 25, 33)]
        self.templates = [
            self.images[i][y : y + 21, x : x + 24] + 0.1 * random.normal(size=(21, 24)) for i, y, x in self.places
        ]
        self.pairs = np.array(
            [[2, 4], [0, 0], [1, 3], [0, 1], [2, 5], [1, 2], [1, 0], [0, 4], [2, 1], [0, 5]], dtype=np.int64
        )
        for array in (*self.images, *self.templates, self.pairs):
            array.flags.writeable = False


def _smooth(random: np.random.Generator, shape: tuple) -> np.ndarray:
    noise = random.normal(size=(shape[0] + 4, shape[1] + 4))
    return sum(noise[i : i + shape[0], j : j + shape[1]] for i in range(5) for j in range(5)) / 5


@pytest.fixture(scope="session")
def case() -> Case:
    return Case()
