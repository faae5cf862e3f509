"""Pictures by which a person judges matches (matplotlib, imported only here when asked for)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._arrays import Arrays, as_pairs, known_ids
from ._result import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'mpixcorr[plots]'") from None
    return pyplot


def plot_pair(
    image: np.ndarray,
    template: np.ndarray,
    coords: npt.ArrayLike,
    peak: float | None = None,
    *,
    title: str = "Match",
) -> Figure:
    """One match: the image with the template's box, the template, both laid over each other, and the NCC around the peak.

    Args:
        image: [rows, cols], any pixel type.
        template: [rows, cols], any pixel type.
        coords: (y, x) of the peak in the full correlation, pixels, as match() and execute_batch() give it.
        peak: the NCC there, for the title.
        title: of the figure.
    """
    pyplot = _pyplot()
    image, template = np.asarray(image, np.float64), np.asarray(template, np.float64)
    y, x = (int(value) for value in np.asarray(coords).reshape(2))
    rows, cols = template.shape
    top, left = y - rows + 1, x - cols + 1
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 9), layout="constrained")
    value = "" if peak is None else f", NCC {float(np.asarray(peak).item()):.4f}"
    figure.suptitle(f"{title}: template at row {top}, column {left} of the image{value}")

    _show(axes[0, 0], image, "Image and the template's place")
    axes[0, 0].add_patch(
        pyplot.Rectangle((left - 0.5, top - 0.5), cols, rows, fill=False, edgecolor="tab:orange", linewidth=2)
    )
    axes[0, 0].set_xlim(min(0, left) - 1, max(image.shape[1], left + cols) + 1)
    axes[0, 0].set_ylim(max(image.shape[0], top + rows) + 1, min(0, top) - 1)
    _show(axes[0, 1], template, "Template")

    under = np.zeros(template.shape)
    y0, y1, x0, x1 = max(top, 0), min(top + rows, image.shape[0]), max(left, 0), min(left + cols, image.shape[1])
    under[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    red, green = _stretched(under), _stretched(template)
    axes[1, 0].imshow(np.dstack([red, green, red]), extent=(left - 0.5, left + cols - 0.5, top + rows - 0.5, top - 0.5))
    axes[1, 0].set_title("Overlay: image magenta, template green")
    _label(axes[1, 0])

    radius = 24
    ncc, ncc_top, ncc_left = _ncc_around(image, template, y, x, radius)
    extent = (ncc_left - 0.5, ncc_left + ncc.shape[1] - 0.5, ncc_top + ncc.shape[0] - 0.5, ncc_top - 0.5)
    shown = axes[1, 1].imshow(ncc, cmap="viridis", extent=extent)
    axes[1, 1].plot(x, y, marker="+", markersize=14, color="tab:red")
    axes[1, 1].set_title(f"NCC within {radius} px of the peak (full correlation)")
    _label(axes[1, 1])
    figure.colorbar(shown, ax=axes[1, 1], label="NCC")
    return figure


def _label(axes: Any) -> None:
    axes.set_xlabel("column (px)")
    axes.set_ylabel("row (px)")


def _show(axes: Any, pixels: np.ndarray, title: str) -> None:
    axes.imshow(_stretched(pixels), cmap="gray", vmin=0, vmax=1)
    axes.set_title(title)
    _label(axes)


def _stretched(pixels: np.ndarray) -> np.ndarray:
    """Grey values 0 to 1 between the first and the last percent."""
    finite = pixels[np.isfinite(pixels)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    return np.clip((np.nan_to_num(pixels) - low) / (high - low if high > low else 1.0), 0, 1)


def _ncc_around(image: np.ndarray, template: np.ndarray, y: int, x: int, radius: int) -> tuple[np.ndarray, int, int]:
    """The NCC at full-correlation positions within `radius` of (y, x), for the eye; and the first position's (y, x)."""
    (rows, cols), full = template.shape, np.add(image.shape, template.shape) - 1
    y0, y1, x0, x1 = max(y - radius, 0), min(y + radius + 1, full[0]), max(x - radius, 0), min(x + radius + 1, full[1])
    part = np.zeros((y1 - y0 + rows - 1, x1 - x0 + cols - 1))  # image rows y0 - rows + 1 .. y1 - 1
    top, left = y0 - rows + 1, x0 - cols + 1
    a, b = max(top, 0), min(top + part.shape[0], image.shape[0])
    c, d = max(left, 0), min(left + part.shape[1], image.shape[1])
    part[a - top : b - top, c - left : d - left] = np.nan_to_num(image[a:b, c:d])
    free = np.nan_to_num(template - template.mean())
    shape = tuple(np.add(part.shape, template.shape) - 1)

    def correlated(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        product = np.fft.rfft2(pixels, shape) * np.fft.rfft2(kernel[::-1, ::-1], shape)
        return np.fft.irfft2(product, shape)[rows - 1 : part.shape[0], cols - 1 : part.shape[1]]

    part -= part.mean()  # keeps the sums below small; the NCC does not change
    ones = np.ones_like(template)
    ssd = correlated(part**2, ones) - correlated(part, ones) ** 2 / template.size
    energy = np.sqrt(np.maximum(ssd, 0) * np.sum(free**2))
    safe = energy > 1e-7 * energy.max(initial=0)
    return np.where(safe, correlated(part, free) / np.where(safe, energy, 1), 0), y0, x0


def plot_statistics(
    images: Arrays, templates: Arrays, correlations: npt.ArrayLike, sample_size: int | None = None
) -> Figure:
    """How often images and templates are used, as cumulative counts of pairs over their ids.

    Args:
        images, templates: as for match(); only how many there are is shown.
        correlations: [n, 2] integers (image id, template id).
        sample_size: look at the first so many pairs; None: all.
    """
    pyplot = _pyplot()
    pairs = as_pairs(correlations)[:sample_size]
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    figure.suptitle(f"{len(pairs)} pairs")
    for axis, column, name, arrays in ((axes[0], 0, "image", images), (axes[1], 1, "template", templates)):
        ids, counts = np.unique(pairs[:, column], return_counts=True)
        axis.step(ids, np.cumsum(counts), where="post")
        axis.set_title(f"{len(ids)} of {len(list(known_ids(arrays)))} {name}s used")
        axis.set_xlabel(f"{name} id")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("pairs, cumulative")
    return figure


def plot_peaks(peaks: npt.ArrayLike, status: npt.ArrayLike | None = None) -> Figure:
    """The peaks of a batch: how they are distributed, and each over its pair.

    Args:
        peaks: [n] or [n, 1], the NCC of each pair, in [-1, 1].
        status: [n], see Status; pairs that are not ok are marked apart. None: all are ok.
    """
    pyplot = _pyplot()
    values = np.asarray(peaks, np.float64).reshape(-1)
    statuses = np.full(len(values), Status.OK) if status is None else np.asarray(status).reshape(-1)
    ok = statuses == Status.OK
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    median = f", median peak {np.median(values[ok]):.3f}" if ok.any() else ""
    figure.suptitle(f"{len(values)} pairs, {np.count_nonzero(ok)} ok{median}")
    axes[0].hist(values[ok], bins=40)
    axes[0].set_xlabel("peak (NCC)")
    axes[0].set_ylabel("pairs")
    rows = np.arange(len(values))
    axes[1].plot(rows[ok], values[ok], ".", label="ok")
    for code in np.unique(statuses[~ok]).tolist():
        chosen = statuses == code
        axes[1].plot(rows[chosen], np.nan_to_num(values[chosen]), "x", label=Status(code).name.lower())
    axes[1].set_xlabel("pair")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    axes[1].set_ylabel("peak (NCC)")
    if not ok.all():
        axes[1].legend()
    return figure
