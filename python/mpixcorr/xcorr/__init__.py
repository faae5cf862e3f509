"""The place where rcc-xcorr's users look: ``from mpixcorr.xcorr import BatchXCorr``."""

from . import BatchXCorr

__all__ = ["BatchXCorr"]
