"""Input and output files of the program ``mpixcorr`` (HDF5, by h5py, imported only here when asked for)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._arrays import (
    Arrays,
    Masks,
    as_arrays,
    as_integers,
    as_pairs,
    as_pixels,
    as_where,
    check_ids,
    known_ids,
    pixel_type,
)
from ._result import Result

Path = Union[str, bytes, "os.PathLike[Any]"]

#: Newest format of output files that read_output() knows.
_OUTPUT_FORMAT = 2

#: Datasets that depend on what was asked.
_OPTIONAL = ("subpixel", "subpixel_offsets", "curvature", "second_coords", "second_peaks", "top_coords", "top_peaks", "angles")


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise ImportError("files need h5py: pip install 'mpixcorr[files]'") from None
    return h5py


def write_input(
    path: Path,
    images: Arrays,
    templates: Arrays,
    pairs: npt.ArrayLike,
    *,
    search: npt.ArrayLike | None = None,
    near: npt.ArrayLike | None = None,
    image_masks: Arrays | None = None,
    template_masks: Arrays | None = None,
    image_names: Sequence[Path] | None = None,
    template_names: Sequence[Path] | None = None,
    expected: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> None:
    """Writes an input file for ``mpixcorr run``; an existing file is replaced once the new one is complete.

    Args:
        path: the HDF5 file.
        images, templates: as for match(). Stacks become one dataset, others a dataset for each array, one at a time.
        pairs: [n, 2] integers (image id, template id). Pairs whose image or template is None are written as (-1, -1):
            the job marks them ``invalid``.
        search: [n, 4] integers (y0, x0, y1, x1), half-open, in coordinates of the full correlation.
        near: [n, 4] integers (y, x, radius_y, radius_x), as for match().
        image_masks, template_masks: as for match(); then the masks of NumPy's masked arrays count, too.
        image_names, template_names: for people, in the order of the ids; bytes that are no UTF-8 are kept.
        expected: known answers for ``mpixcorr compare``: coords [n, 2] integers (y, x) and peaks [n].
    """
    images, templates = as_arrays(images, "images"), as_arrays(templates, "templates")
    rows = as_pairs(pairs)
    where = as_where(search, near, len(rows))
    check_ids(rows, images, templates)
    if expected is not None:
        coords = as_integers(expected[0], "expected", f"integers [{len(rows)}, 2] (y, x), and peaks", (len(rows), 2))
        peaks = np.asarray(expected[1], np.float64).reshape(len(rows))
    both = Masks(image_masks, "image mask"), Masks(template_masks, "template mask")
    masks = None if image_masks is None and template_masks is None else both
    with new_file(path) as file:
        write_pairs(file, images, templates, rows, where, masks)
        for name, names in (("image_names", image_names), ("template_names", template_names)):
            if names is not None:
                _write_names(file, name, names)
        if expected is not None:
            file["expected/coords"], file["expected/peaks"] = coords, peaks


def write_pairs(
    file: Any,
    images: Arrays,
    templates: Arrays,
    pairs: np.ndarray,
    where: dict[str, np.ndarray],
    masks: tuple[Masks, Masks] | None,
) -> None:
    """Writes what is to be matched, and where, of as_where(); masks None: pixels that are masked are refused."""
    rows = pairs.copy()
    for column, (kind, arrays) in enumerate((("image", images), ("template", templates))):
        wanted = set(np.unique(rows[:, column]).tolist()) - {-1}
        there = _write_arrays(file, kind, arrays, wanted, masks and masks[column])
        rows[~np.isin(pairs[:, column], there)] = -1
    file["pairs"] = rows
    for name, values in where.items():
        file[name] = values


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Any]:
    """A new HDF5 file, which takes the place of what was there only where nothing failed; a symbolic link is followed."""
    target = os.path.realpath(os.fsdecode(path))
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"{os.fsdecode(path)}: exists and is no file; expected a file, or nothing")
    unfinished = f"{target}.{os.getpid()}.new"
    try:
        with _h5py().File(unfinished, "w") as file:
            yield file
        os.replace(unfinished, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


def _write_arrays(file: Any, kind: str, arrays: Arrays, wanted: set[int], masks: Masks | None) -> list[int]:
    """Writes the arrays that pairs name, and their masks; answers which these are: not those that are None."""
    name, written = f"{kind}s", []
    is_stack = isinstance(arrays, np.ndarray) and arrays.ndim == 3
    out = file.create_dataset(name, arrays.shape, pixel_type(arrays.dtype, name)) if is_stack else file.create_group(name)
    for i in known_ids(arrays) if is_stack else sorted(wanted):
        array, valid = arrays[i], None
        if masks is not None and (i in wanted or isinstance(array, np.ma.MaskedArray)):
            array, valid = masks.of(i, array)
        pixels = as_pixels(array, f"{name}[{i}]")
        if pixels is None:
            continue
        out[i if is_stack else str(i)] = pixels
        if valid is not None and i in wanted:
            file.create_dataset(f"{kind}_masks/{i}", data=valid, compression="gzip", compression_opts=1)
        written.append(int(i))
    return written


def _write_names(file: Any, name: str, names: Sequence[Path]) -> None:
    """Names are bytes, mostly UTF-8: fixed-length strings, padded with zeros."""
    encoded = [os.fsencode(n if isinstance(n, (bytes, os.PathLike)) else str(n)) for n in names]
    length = max((len(n) for n in encoded), default=0)
    kind = _h5py().string_dtype("utf-8", max(length, 1))
    file.create_dataset(name, data=np.array(encoded, f"S{max(length, 1)}").astype(kind))


def _input_path(file: Any) -> str | None:
    path = file.attrs.get("input_path")
    return os.fsdecode(path) if path is not None else None


def read_output(path: Path) -> Result:
    """Reads the results of ``mpixcorr run``: an output file, or a part (``OUTPUT.part``) with rows still pending."""
    with _h5py().File(path, "r") as file:
        missing = [name for name in ("coords", "peaks", "status", "offsets", "overlap") if name not in file]
        if missing:
            raise ValueError(f"{os.fsdecode(path)}: no /{missing[0]}; expected an output file of mpixcorr run")
        newest = int(file.attrs.get("format_version", _OUTPUT_FORMAT))
        if newest > _OUTPUT_FORMAT:
            raise ValueError(f"{os.fsdecode(path)}: format version {newest}; this release reads up to {_OUTPUT_FORMAT}")
        optional = {name: file[name][:] for name in _OPTIONAL if name in file}
        return Result(
            coords=file["coords"][:],
            peaks=file["peaks"][:],
            status=file["status"][:].astype(np.uint8),
            offsets=file["offsets"][:],
            overlap=file["overlap"][:],
            at_border=file["at_border"][:].astype(bool) if "at_border" in file else None,
            pairs=file["pairs"][:].astype(np.int64) if "pairs" in file else None,
            input_path=_input_path(file),
            **optional,
        )
