"""Results as displacements between images: edges of tiles that can be trusted or not, and fields on a regular grid."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ._library import judge

#: Places of a grid for each template, beyond which they lie on none; so many are always allowed.
_SPARSEST, _FEW_PLACES = 16, 4096


@dataclass(frozen=True)
class Edge:
    """Two images, `other`'s templates having been sought in `image`. Positions are (y, x), pixels of full resolution."""

    image: int
    other: int
    image_name: str
    other_name: str
    #: "good": 3 or more templates, and more than half, agree; "doubtful": 2 do, or there is only one; else "none".
    verdict: str
    #: (y, x): point p of other is p + moved of image; the median of those that agree, NaN without any.
    moved: np.ndarray
    #: The greatest distance of those that agree from it.
    spread: float
    #: [n] rows of the pairs.
    rows: np.ndarray
    #: [n, 2] centres of templates in `other`, and where they are in `image` (NaN without an answer).
    at: np.ndarray
    found: np.ndarray
    #: [n] bool.
    agrees: np.ndarray


@dataclass(frozen=True)
class Field:
    """Displacements on a regular grid, a field for each pair of images."""

    #: [n, 2] int64 (image, other).
    pairs: np.ndarray
    #: [ny], [nx] centres of patches in `other`, pixels of full resolution.
    y: np.ndarray
    x: np.ndarray
    #: [n, 4, ny, nx] float32: dx, dy, peak, peak over second; NaN unless ok.
    values: np.ndarray


@dataclass(frozen=True)
class Boxes:
    """What an input file knows of templates that are boxes of images."""

    #: [n, 5] int64 (image id, y, x, rows, cols), by template id.
    boxes: np.ndarray
    bin: int = 1
    names: dict[int, str] = field(default_factory=dict)


class Answers(Protocol):
    """Of a Result, what is needed here."""

    coords: np.ndarray
    offsets: np.ndarray
    peaks: np.ndarray
    status: np.ndarray
    at_border: np.ndarray | None
    subpixel: np.ndarray | None
    second_peaks: np.ndarray | None
    pairs: np.ndarray | None
    input_path: str | None


@dataclass(frozen=True)
class _Points:
    """Rows that hold a pair, in order of image, other image and row."""

    rows: np.ndarray
    pairs: np.ndarray
    at: np.ndarray
    moved: np.ndarray
    starts: np.ndarray  # where each pair of images begins, and the end


def read_boxes(path: str | os.PathLike[Any]) -> Boxes:
    import h5py

    with h5py.File(path, "r") as file:
        templates = file["templates"]
        if not isinstance(templates, h5py.Dataset) or templates.ndim != 2 or templates.shape[1] != 5:
            raise ValueError(f"{os.fsdecode(path)}: /templates: expected boxes [n, 5] of images")
        images, names = file["images"], {}
        ids = sorted(map(int, images)) if isinstance(images, h5py.Group) else range(len(images))
        if "image_names" in file:
            texts = (t.decode("utf-8", "surrogateescape") for t in file["image_names"][:])
            names = dict(zip(ids, texts))
        return Boxes(templates[:].astype(np.int64), int(file.attrs.get("bin", 1)), names)


def _boxes_of(result: Answers, boxes: npt.ArrayLike | Boxes | None) -> Boxes:
    if isinstance(boxes, Boxes):
        return boxes
    if boxes is not None:
        return Boxes(np.asarray(boxes, np.int64).reshape(-1, 5))
    if result.input_path is None:
        raise ValueError("boxes [n, 5] (image, y, x, rows, cols) of the templates, or an input file, expected")
    return read_boxes(result.input_path)


def _points(result: Answers, known: Boxes) -> _Points:
    if result.pairs is None:
        raise ValueError("the pairs of these results are not known")
    rows = np.flatnonzero((result.pairs >= 0).all(axis=1))
    image, template = result.pairs[rows].T
    box = known.boxes[template]
    order = np.lexsort((rows, box[:, 0], image))
    rows, box, image = rows[order], box[order], image[order]
    corner = box[:, 1:3]
    at = known.bin * (corner + box[:, 3:5] / 2) - 0.5
    moved = (result.offsets[rows] - corner).astype(np.float64)
    if result.subpixel is not None:
        fine = result.subpixel[rows] - result.coords[rows]
        moved += np.where(np.isnan(fine), 0, fine)
    moved[result.coords[rows][:, 0] == -1] = np.nan
    pairs = np.column_stack((image, box[:, 0]))
    starts = np.flatnonzero(np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)]) if len(rows) else np.empty(0, np.int64)
    return _Points(rows, pairs, at, known.bin * moved, np.r_[starts, len(rows)])


def tiles(result: Answers, boxes: npt.ArrayLike | Boxes | None, agree: tuple[float, float]) -> list[Edge]:
    known = _boxes_of(result, boxes)
    p = _points(result, known)
    counts = result.status[p.rows] == 1
    if result.at_border is not None:
        counts &= ~result.at_border[p.rows]
    edges = []
    for first, end in zip(p.starts[:-1], p.starts[1:]):
        part = slice(first, end)
        agrees, verdict, middle, spread = judge(p.at[part], p.moved[part], counts[part], agree[0], agree[1] / 100)
        image, other = map(int, p.pairs[first])
        edges.append(
            Edge(
                image,
                other,
                known.names.get(image, ""),
                known.names.get(other, ""),
                verdict,
                middle,
                spread,
                p.rows[part],
                p.at[part],
                p.at[part] + p.moved[part],
                agrees,
            )
        )
    return edges


def _lattice(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of places along one direction, and the places."""
    twice = np.rint(2 * at).astype(np.int64)
    step = int(np.gcd.reduce(twice - twice.min())) or 2
    places = np.arange(twice.min(), twice.max() + 1, step) / 2
    return (twice - twice.min()) // step, places


def field_of(result: Answers, boxes: npt.ArrayLike | Boxes | None) -> Field:
    p = _points(result, _boxes_of(result, boxes))
    if not len(p.rows):
        return Field(np.empty((0, 2), np.int64), np.empty(0), np.empty(0), np.empty((0, 4, 0, 0), np.float32))
    (iy, y), (ix, x) = _lattice(p.at[:, 0]), _lattice(p.at[:, 1])
    if len(y) * len(x) > _SPARSEST * len(p.rows) + _FEW_PLACES:
        raise ValueError(f"{len(p.rows)} templates lie on no regular grid")
    n = len(p.starts) - 1
    values = np.full((n, 4, len(y), len(x)), np.nan, np.float32)
    ok = result.status[p.rows] == 1
    edge = np.repeat(np.arange(n), np.diff(p.starts))[ok]
    iy, ix, rows = iy[ok], ix[ok], p.rows[ok]
    values[edge, 0, iy, ix], values[edge, 1, iy, ix] = p.moved[ok, 1], p.moved[ok, 0]
    values[edge, 2, iy, ix] = result.peaks[rows]
    if result.second_peaks is not None:
        with np.errstate(divide="ignore"):
            values[edge, 3, iy, ix] = result.peaks[rows] / result.second_peaks[rows]
    return Field(p.pairs[p.starts[:-1]], y, x, values)
