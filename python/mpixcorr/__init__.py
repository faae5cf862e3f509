"""mpixcorr: batch normalised cross-correlation of EM images and templates, with float64-exact peaks.

    from mpixcorr import match                  # new code
    from mpixcorr.xcorr import BatchXCorr       # rcc-xcorr's interface

Files (h5py) and pictures (matplotlib) are optional and imported only when asked for.
"""

from ._files import read_output, write_input
from ._library import MpixcorrError, default_threads, release, version
from ._match import match
from ._plots import plot_pair, plot_peaks, plot_statistics
from ._result import Result, Status
from ._tiles import Edge, Field

__version__ = version()
__all__ = [
    "Edge",
    "Field",
    "MpixcorrError",
    "Result",
    "Status",
    "default_threads",
    "match",
    "plot_pair",
    "plot_peaks",
    "plot_statistics",
    "read_output",
    "release",
    "write_input",
]
