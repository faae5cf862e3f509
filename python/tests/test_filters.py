"""match(filter=): scipy's filters, in this process and as a job."""

import os
import shlex

import numpy as np
import pytest

import mpixcorr

ndimage = pytest.importorskip("scipy.ndimage")


def _pixels():
    random = np.random.default_rng(2)
    image = ndimage.gaussian_filter(random.normal(size=(70, 80)), 2) * 300 + 120
    return image.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("chain", "by_scipy"),
    [
        ("log:1.5", lambda a: ndimage.gaussian_laplace(a, 1.5)),
        ("median:3,gauss:2", lambda a: ndimage.gaussian_filter(ndimage.median_filter(a, 3), 2)),
        ("dog:1,2.5", lambda a: ndimage.gaussian_filter(a, 1) - ndimage.gaussian_filter(a, 2.5)),
    ],
)
def test_filters_are_those_of_scipy(chain, by_scipy):
    image = _pixels()
    template = image[20:45, 30:60]
    found = mpixcorr.match([image], [template], filter=chain, min_overlap=1)
    before = [by_scipy(a.astype(np.float64)).astype(np.float32) for a in (image, template)]
    expected = mpixcorr.match(before[:1], before[1:], min_overlap=1)
    assert found.coords.tolist() == expected.coords.tolist()
    assert abs(found.peaks - expected.peaks).max() < 1e-6


def test_a_job_filters_alike(tmp_path):
    if "MPIXCORR" not in os.environ:
        pytest.skip("MPIXCORR names no program")
    image = _pixels()
    templates = [image[5:30, 8:33], image[20:45, 30:60]]
    here = mpixcorr.match([image], templates, [(0, 0), (0, 1)], filter="log:1.5", quality=True)
    launcher = shlex.quote(os.environ.get("MPIEXEC", "mpirun")) + " -n 2"
    job = mpixcorr.match(
        [image], templates, [(0, 0), (0, 1)], filter="log:1.5", quality=True, launcher=launcher, workdir=tmp_path
    )
    assert here.peaks.tobytes() == job.peaks.tobytes() and here.subpixel.tobytes() == job.subpixel.tobytes()


@pytest.mark.parametrize("chain", ["median:4", "log", "gauss:0", "sobel:3", "log:1;gauss:2"])
def test_what_is_no_filter_is_refused(chain):
    with pytest.raises(ValueError, match="expected"):
        mpixcorr.match([_pixels()], [_pixels()[:9, :9]], filter=chain)
