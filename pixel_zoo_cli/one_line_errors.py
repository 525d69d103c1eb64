"""What a user sees of an error: one line."""

import sys
import zipfile

import typer
import typer.core

BAD_INPUT = (ValueError, TypeError, OSError, ImportError, RuntimeError, OverflowError, MemoryError)
#: What damaged files raise; without this, Typer takes an EOFError for the end of the user's input.
DAMAGED = (EOFError, zipfile.BadZipFile)
#: Libraries whose errors are of the machine or of the input, not of this program.
ENGINES = ("tensorflow", "jax", "jaxlib", "keras", "h5py", "grpc", "httpx", "requests", "urllib3", "PIL")
LONGEST = 1000  # characters; an engine may add the whole graph
LESS = "work with fewer images at once, a smaller batch or a smaller model"


class OneLineErrors(typer.core.TyperGroup):
    """Commands whose bad input ends with one line on stderr and exit code 2, whatever the input raised inside.

    An error that is none of the user's, such as a KeyError, still shows where it comes from.
    """

    def invoke(self, ctx):
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal may have fewer characters than a path
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):  # RuntimeErrors too: this is how `train --help` ends
            raise
        except Exception as error:
            if not isinstance(error, BAD_INPUT + DAMAGED) and not _is_of_an_engine(error):
                raise
            print("pixel-zoo:", sentence(error), file=sys.stderr)
            raise typer.Exit(2) from error


def sentence(error):
    """An error as one line that says what to do, as far as that is known."""
    message = " ".join(str(error).split())[:LONGEST] or type(error).__name__
    if isinstance(error, DAMAGED):
        return f"a file is damaged or cut short: {message}"
    if _is_out_of_memory(error, message):
        return f"out of memory: {LESS} ({message})"
    return message


def _is_of_an_engine(error):
    return any(kind.__module__.partition(".")[0] in ENGINES for kind in type(error).__mro__)


def _is_out_of_memory(error, message):
    """Whether memory is exhausted, as Python, NumPy, TensorFlow and JAX say it; TensorFlow says so of a disk too."""
    if "no space left" in message.lower():
        return False
    words = ("out of memory", "RESOURCE_EXHAUSTED", "OOM when allocating")
    return isinstance(error, MemoryError) or (_is_of_an_engine(error) and any(word in message for word in words))
