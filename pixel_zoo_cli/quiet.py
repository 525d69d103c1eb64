"""What is written to the terminal, and what is not."""

import os
import sys

from rich.console import Console


def import_keras():
    """Import Keras and its backend without TensorFlow's log messages; exceptions are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import pixel_zoo  # noqa: F401 (first: it drops what TensorFlow writes while it is loaded)

    # isort: split
    import keras

    return keras


def busy(what):
    """Show on stderr that something is being done."""
    return Console(stderr=True).status(f"{what} ...")


def printable(text):
    """A text for stdout, whose encoding may have no plus-minus sign.

    Example:

    >>> printable("79.2 ± 0.2") in ("79.2 ± 0.2", "79.2 +/- 0.2")
    True
    """
    try:
        "±".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return text.replace("±", "+/-")
    return text
