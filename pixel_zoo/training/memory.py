"""Memory between training steps."""

import ctypes
import sys

# Of mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory():
    """Let the C library keep what a training step frees for the next one, where it is glibc.

    By default it gives large blocks back to the system, which hands them out again page by page, each one cleared: on
    two cores that took 28 % of the processor time of a Diagonal BiLSTM's step, and 23 % of a PixelCNN's.

    Example:

    >>> keep_freed_memory()
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, 2**30)
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
