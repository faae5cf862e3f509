"""An EM client's own export (MPIXCORR_TEST_DATA/emalign_dump): its coordinates, and its peaks within 1e-5."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from mpixcorr.xcorr import BatchXCorr

FOLDER = Path(os.environ.get("MPIXCORR_TEST_DATA", "")) / "emalign_dump"


def _read(prefix):
    image_module = pytest.importorskip("PIL.Image")
    names = {path: re.fullmatch(prefix + r"(\d+)\.tif", path.name) for path in FOLDER.iterdir()}
    return {int(found[1]): np.asarray(image_module.open(path)) for path, found in names.items() if found}


@pytest.mark.skipif(
    "MPIXCORR_TEST_DATA" not in os.environ or not FOLDER.is_dir(), reason="MPIXCORR_TEST_DATA has no emalign_dump"
)
def test_same_coordinates_and_peaks():
    comps = pytest.importorskip("scipy.io").loadmat(FOLDER / "comps.mat")
    batch = BatchXCorr.BatchXCorr(
        _read("image"), _read("templ"), comps["comps"].astype(int), override_eps=True, custom_eps=1.1920929e-07
    )
    coords, peaks = batch.execute_batch()
    assert len(coords) == 12
    np.testing.assert_array_equal(coords, comps["Camax"])
    np.testing.assert_allclose(peaks[:, 0], comps["Cmax"].ravel(), rtol=0, atol=1e-5)
