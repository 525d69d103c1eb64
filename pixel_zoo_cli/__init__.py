"""The command line, `pixel-zoo train | evaluate | score | sample | complete | inspect | export | list | recipes | ...`.

It lies outside `pixel_zoo`, and imports it inside the commands: `--help`, shell completion and a mistyped option do not
wait for Keras.
"""

import signal
import sys
import threading


def _say_what_is_missing():
    """The program where only the client of a server is installed."""
    sys.exit("pixel-zoo needs typer, which is not installed: pip install pixel-zoo")


_handler = signal.getsignal(signal.SIGINT)
_is_pythons = _handler is signal.default_int_handler and threading.current_thread() is threading.main_thread()
if _is_pythons:
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C during the import of Typer ends the program, without traceback
try:
    from pixel_zoo_cli.app import app
except ModuleNotFoundError as error:
    if error.name != "typer":
        raise
    app = _say_what_is_missing  # type: ignore[assignment]
finally:
    if _is_pythons:
        signal.signal(signal.SIGINT, _handler)

__all__ = ["app"]
