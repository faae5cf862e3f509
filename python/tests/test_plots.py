"""The pictures are drawn, and show what they say."""

import numpy as np
import pytest

import mpixcorr

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def _title(figure):
    return figure._suptitle.get_text()  # get_suptitle() is newer than some matplotlibs


def test_pair(case, tmp_path):
    result = mpixcorr.match(case.images[0], case.templates[1])
    figure = mpixcorr.plot_pair(case.images[0], case.templates[1], result.coords[0], result.peaks[0])
    figure.savefig(tmp_path / "pair.png")
    assert "row 30, column 40" in _title(figure) and f"NCC {result.peaks[0]:.4f}" in _title(figure)
    box = figure.axes[0].patches[0]
    assert box.get_xy() == (39.5, 29.5) and (box.get_width(), box.get_height()) == (24, 21)
    ncc = figure.axes[3].images[0]
    values = np.asarray(ncc.get_array())
    left, _, _, top = ncc.get_extent()
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert (y + top + 0.5, x + left + 0.5) == (50, 63)
    assert values.max() == pytest.approx(result.peaks[0], abs=1e-9)


def test_pair_at_the_corner_of_integers(case):
    image = (20 * case.images[1] + 100).astype(np.uint8)
    figure = mpixcorr.plot_pair(image, image[:21, :24], (0, 0))
    figure.canvas.draw()


def test_statistics(case):
    figure = mpixcorr.plot_statistics(case.images, case.templates, case.pairs, 9)
    figure.canvas.draw()
    assert _title(figure) == "9 pairs"
    assert figure.axes[0].get_title() == "3 of 3 images used"
    assert figure.axes[1].lines[0].get_ydata()[-1] == 9


def test_peaks():
    peaks, status = np.array([[0.9], [0.5], [np.nan]]), [1, 1, 4]
    figure = mpixcorr.plot_peaks(peaks, status)
    figure.canvas.draw()
    assert _title(figure) == "3 pairs, 2 ok, median peak 0.700"
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["ok", "unreadable"]
