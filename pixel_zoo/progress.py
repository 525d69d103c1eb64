"""A bar on stderr for runs that take long."""

import contextlib
import time

_PATIENCE = 2.0  # seconds after which somebody at a terminal wants to know


@contextlib.contextmanager
def progress_bar(description, total, wanted):
    """Show how much of `total` is done, on stderr.

    Args:
        description: str.
        total: int.
        wanted: True; False; or None: on a terminal, once it has taken two seconds.

    Yields:
        A function to call whenever one more is done.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    bar = Progress(console=console, transient=wanted is None)
    task = bar.add_task(description, total=total)
    begin = time.monotonic()

    def one_more():
        bar.advance(task)
        if wanted is None and console.is_terminal and time.monotonic() - begin > _PATIENCE:
            bar.start()

    if wanted:
        bar.start()
    try:
        yield one_more
    finally:
        if bar.live.is_started:
            bar.stop()
