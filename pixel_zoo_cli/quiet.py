"""What is written to the terminal, and what is not."""

import contextlib
import os
import sys

from rich.console import Console


def import_keras():
    """Import Keras and its backend without the notes that TensorFlow writes to stderr; errors are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # at 2, TensorFlow reports a missing GPU as an error
    with without_stderr():  # some of its libraries ignore that level while they are loaded
        import keras

        import pixel_zoo.zoo  # noqa: F401 (it imports more of them)

    return keras


@contextlib.contextmanager
def without_stderr():
    """Discard what is written to file descriptor 2, by C++ code too."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


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
