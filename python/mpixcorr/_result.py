"""What comes back for a batch of pairs."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ._tiles import Boxes, Edge, Field, field_of, tiles


class Status(IntEnum):
    """Outcome of one pair; the values of the output file's ``/status``."""

    PENDING = 0
    OK = 1
    #: The template is flat, or every searched window is flat or below eps: peak 0 at the first position searched.
    FLAT = 2
    #: NaN or Inf in the pixels.
    NONFINITE = 3
    #: Pixels are missing (None).
    UNREADABLE = 4
    #: The best candidate that was evaluated; proof gave up. Ordinary data has none.
    UNCERTAIN = 5
    #: No pair (-1), or shapes that do not fit each other or the crop.
    INVALID = 6
    #: No position has enough pixels that are valid in image and template both.
    MASKED = 7


#: By status, whatever a file may hold.
_TRUSTED = np.isin(np.arange(256), [Status.OK, Status.FLAT])


@dataclass(frozen=True)
class Result:
    """Answers of n pairs, row i for pair i. Filter on ``status``: NaN passes ``<=`` cut-offs."""

    #: [n, 2] int64 (y, x) of the peak in the full, uncropped correlation, pixels: there the template's bottom-right
    #: pixel lies on image pixel (y, x). -1 for nonfinite, unreadable, invalid and masked pairs.
    coords: np.ndarray
    #: [n] float64, the NCC there, in [-1, 1]. NaN where coords are -1.
    peaks: np.ndarray
    #: [n] uint8, see Status.
    status: np.ndarray
    #: [n, 2] int64 (y, x) of the template's top-left pixel in the image; may be negative. -1 where coords are -1.
    offsets: np.ndarray
    #: [n] float32, the fraction of the template's area inside the image there. NaN where coords are -1.
    overlap: np.ndarray
    #: [n] bool: crop, search or near left out a neighbour of the peak, so that a better one may lie beyond.
    #: None from output files that do not tell.
    at_border: np.ndarray | None = None
    #: With quality: [n, 2] float64 (y, x), coords refined by parabolas, pixels; NaN unless ok.
    subpixel: np.ndarray | None = None
    #: With quality: [n, 2] float64 (y, x), subpixel in the frame of offsets.
    subpixel_offsets: np.ndarray | None = None
    #: With quality: [n, 2] float64 (y, x), second differences of the NCC at the peak; NaN in a direction where a
    #: neighbour is not searched.
    curvature: np.ndarray | None = None
    #: With quality: [n, 2] int64 (y, x) of the best position farther than separation; -1 where there is none.
    second_coords: np.ndarray | None = None
    #: With quality: [n] float64, the NCC there; NaN where there is none.
    second_peaks: np.ndarray | None = None
    #: With peaks: [n, peaks, 2] int64 (y, x) of the best peaks, best first, in the frame of coords; -1 where there are
    #: fewer.
    top_coords: np.ndarray | None = None
    #: With peaks: [n, peaks] float64, the NCC there; NaN where there are fewer.
    top_peaks: np.ndarray | None = None
    #: With rotate: [n] float64, the angle in degrees at which the template matched best, counter-clockwise as displayed
    #: with y down; NaN where coords are -1. All else is that of the template turned so.
    angles: np.ndarray | None = None
    #: [n, 2] int64 (image id, template id); -1: no pair.
    pairs: np.ndarray | None = None
    #: Of results of a file: the input that they were made from.
    input_path: str | None = None

    def __len__(self) -> int:
        return len(self.status)

    @property
    def ok(self) -> np.ndarray:
        """[n] bool: the pair has an answer that can be trusted (flat is one: blank resin is normal)."""
        return _TRUSTED[self.status]

    def tiles(
        self, boxes: npt.ArrayLike | Boxes | None = None, *, agree: tuple[float, float] = (3.0, 1.0)
    ) -> list[Edge]:
        """Displacements of pairs of images, and which to trust; for templates that are boxes of images.

        Args:
            boxes: [n, 5] (image id, y, x, rows, cols) by template id; None: of the input file.
            agree: pixels, and percent of the distance between templates, by which displacements that agree may differ.
        """
        return tiles(self, boxes, agree)

    def field(self, boxes: npt.ArrayLike | Boxes | None = None) -> Field:
        """Displacements of templates that lie on a regular grid, as of ``mpixcorr grid``; boxes as for tiles()."""
        return field_of(self, boxes)


def warn(text: str) -> None:
    """A RuntimeWarning at the caller of this package."""
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and (frame.f_globals.get("__package__") or "").partition(".")[0] == "mpixcorr":
        depth, frame = depth + 1, frame.f_back
    warnings.warn(text, RuntimeWarning, stacklevel=depth)
