"""match(): the engine for new code, in this process or as a job through files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Union

import numpy as np
import numpy.typing as npt

from ._arrays import Arrays, Masks, as_arrays, as_integers, as_pairs, as_where, check_ids, pairs_of
from ._batch import match_here
from ._files import Path
from ._job import run_job
from ._library import Search, c_search
from ._result import Result

#: (X, Y) in pixels, or "half".
Crop = Union[tuple[int, int], Sequence[int], Literal["half"]]


def match(
    images: Arrays,
    templates: Arrays,
    pairs: npt.ArrayLike | None = None,
    *,
    crop: Crop = (0, 0),
    search: npt.ArrayLike | None = None,
    near: npt.ArrayLike | None = None,
    normalize: bool = False,
    min_overlap: float | None = None,
    outside: Literal["zero", "ignore"] | None = None,
    image_masks: Arrays | None = None,
    template_masks: Arrays | None = None,
    filter: str = "",
    eps: float = 0.0,
    quality: bool = False,
    peaks: int = 0,
    separation: int = 10,
    rotate: tuple[float, float, float] | None = None,
    threads: int | None = None,
    progress: bool = False,
    launcher: str | Sequence[Path] | None = None,
    workdir: Path | None = None,
    job_options: Sequence[str] = (),
) -> Result:
    """Finds each template of a pair on its image: the maximum of the float64 normalised cross-correlation (NCC).

    Images and templates are a stack [n, rows, cols], a sequence of 2-D arrays, or a dict of integer ids to 2-D arrays;
    None stands for pixels that are missing. Arrays are NumPy's or anything with shape, dtype and slicing, such as those of
    zarr and h5py, which are read one at a time, as they are needed. Integers of 8 to 64 bits and floats of 16 to 64 bits; any byte order. They
    are never changed, and not copied where the pixels of a row are contiguous: slices of tiles make good templates.

    Args:
        images: what is searched.
        templates: what is sought; not larger than its image.
        pairs: [n, 2] integers (image id, template id); a row with -1 is no pair. None: image i with template i.
        crop: (X, Y) pixels: X columns left and right and Y rows top and bottom of the full correlation are not
            searched. "half": half of each template, so that its centre stays inside the image.
        search: [n, 4] integers (y0, x0, y1, x1), half-open, in coordinates of the full correlation: only there is
            the peak of each pair sought.
        near: [n, 4] integers (y, x, radius_y, radius_x): only offsets of the template's top-left pixel that differ
            from the predicted (y, x) by at most the radii, as in Result.offsets. A negative radius: no prediction.
        normalize: subtract each image's and template's mean and divide by its standard deviation first, in a copy.
            Changes the NCC only where a template overhangs the image.
        min_overlap: ignore positions where less than this fraction of the template's area overlaps the image; None: 0,
            or 0.3 with outside="ignore".
        outside: what lies outside an image: "zero", zeros, or "ignore", nothing: means and norms then go over the
            overlap alone. The mode for raw tiles, whose pixels are far from zero mean. None: "zero", or "ignore" where
            there are masks.
        image_masks, template_masks: which pixels are valid: not zero. Laid out as images and templates, or one 2-D
            array for all; None, also within them: all are. All sums then go over pixels that are valid in both, and
            min_overlap is the fraction of the template's valid pixels that meet valid ones. With outside="ignore"
            the masks of NumPy's masked arrays count, too, in which True means masked.
            Pairs with masked pixels are done on the CPU.
        filter: applied to images and templates before all else, in this order, for example "median:3,log:1.5":
            median:N, gauss:S, log:S as scipy.ndimage; dog:S1,S2 is gauss S1 minus gauss S2, highpass:S the input minus
            gauss S. float64, rounded to float32 once; the same bytes on every machine.
        eps: the response is 0 where sqrt(ssd(window) * ssd(template)) <= eps, in pixel units.
        quality: also find sub-pixel positions, curvatures and second peaks.
        peaks: list so many of the best peaks of each pair, at most 1000; 0: no list.
        separation: each of these, and the second peak, is the best of what is farther than so many pixels in y or x
            from all better ones; shoulders count.
        rotate: (from, to, step) in degrees, multiples of 1e-6: turn each template by these angles, `to` included,
            counter-clockwise as displayed with y down, and keep the best: see Result.angles. A template keeps its shape and
            turns about its centre by linear interpolation, the same bytes on every machine; what is turned in from
            beyond its rim, or beside masked pixels, is masked where any image or template has a mask, else its mean.
        threads: CPU threads at most; None: ``MPIXCORR_THREADS``, else ``OMP_NUM_THREADS``, else the process's cores.
        progress: show a bar (tqdm) once it takes longer than a second.
        launcher: run as a job of the program ``mpixcorr`` (found in $MPIXCORR, else on the PATH) started by these
            words, for example "mpirun -n 8" or "srun". Needs h5py. None: in this process.
        workdir: folder for the job's files, seen by all its nodes; None: the current one.
        job_options: more options of ``mpixcorr run``, for example ("--device", "cpu").

    Returns:
        The answers in the order of the pairs. Bad pixels are a status of their pairs, not an exception.

    Raises:
        IndexError: a pair names an image or template that does not exist.
        ValueError, TypeError: arguments that make no sense.
        MpixcorrError: out of memory, or the job failed.
    """
    images, templates = as_arrays(images, "images"), as_arrays(templates, "templates")
    if pairs is None:
        rows = pairs_of(images, templates)
    else:
        rows = as_pairs(pairs)
        check_ids(rows, images, templates)
    where = as_where(search, near, len(rows))
    masked = image_masks is not None or template_masks is not None
    if masked and outside == "zero":
        raise ValueError("masks and outside='zero' found: expected 'ignore', as masked pixels are no zeros")
    outside = outside or ("ignore" if masked else "zero")
    question = _as_search(crop, normalize, min_overlap, outside, eps, quality, filter, peaks, separation, rotate)
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}: expected 1 or more")
    both = (Masks(image_masks, "image mask"), Masks(template_masks, "template mask"))
    masks = both if outside == "ignore" else None
    if launcher is not None:
        files = (images, templates, rows, where, masks)
        result = run_job(launcher, workdir, job_options, files, question, threads, progress)
        return replace(result, pairs=rows, input_path=None)  # files of a job are gone by now
    return match_here(images, templates, rows, where, question, threads, progress, masks)


def _as_angles(rotate: Sequence[float] | None) -> tuple[int, int, int]:
    """First and last angle and the step, in 1e-6 degree."""
    if rotate is None:
        return 0, 0, 0
    expected = "expected (from, to, step) in degrees, multiples of 1e-6 within a turn, `to` some whole steps from `from`"
    degrees = np.asarray(rotate, np.float64)
    if degrees.shape != (3,) or not (np.abs(degrees) <= 360).all():
        raise ValueError(f"rotate is {rotate!r}: {expected}")
    micro = np.rint(degrees * 1e6).astype(np.int64)
    first, last, step = micro.tolist()
    if (np.abs(degrees * 1e6 - micro) > 1e-3).any() or step <= 0 or last < first or (last - first) % step:
        raise ValueError(f"rotate is {rotate!r}: {expected}")
    if (last - first) // step >= 100_000:
        raise ValueError(f"rotate is {rotate!r}: {(last - first) // step + 1} angles, expected at most 100000")
    return first, last, step


def _as_search(
    crop: Crop,
    normalize: bool,
    min_overlap: float | None,
    outside: str,
    eps: float,
    quality: bool,
    filter: str,
    peaks: int,
    separation: int,
    rotate: Sequence[float] | None,
) -> Search:
    """Checks what is asked."""
    half = isinstance(crop, str)
    if half and crop != "half":
        raise ValueError(f"crop is {crop!r}: expected (X, Y) in pixels, or 'half'")
    crop_x, crop_y = (0, 0) if half else as_integers([crop], "crop", "integers (X, Y), or 'half'", (1, 2))[0].tolist()
    if crop_x < 0 or crop_y < 0:
        raise ValueError(f"crop is {crop!r}: expected no negative number")
    if outside not in ("zero", "ignore"):
        raise ValueError(f"outside is {outside!r}: expected 'zero' or 'ignore'")
    ignore = outside == "ignore"
    if min_overlap is None:
        min_overlap = 0.3 if ignore else 0.0
    if not 0 <= min_overlap <= 1:
        raise ValueError(f"min_overlap is {min_overlap}: expected a fraction from 0 to 1")
    if not 0 <= eps < np.inf:
        raise ValueError(f"eps is {eps}: expected 0 or more")
    if not 0 <= peaks <= 1000:
        raise ValueError(f"peaks is {peaks}: expected 0 to 1000")
    if not 1 <= separation <= 10**9:
        raise ValueError(f"separation is {separation}: expected pixels, 1 or more")
    search = Search(
        crop_y,
        crop_x,
        half,
        bool(normalize),
        float(eps),
        float(min_overlap),
        bool(quality),
        str(filter),
        ignore,
        int(peaks),
        int(separation),
        _as_angles(rotate),
    )
    if filter:
        c_search(search)  # filters are the library's to understand
    return search
