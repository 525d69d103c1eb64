"""A progress bar on stderr."""

import contextlib
import time

_PATIENCE = 2.0  # seconds after which a terminal shows the bar


@contextlib.contextmanager
def progress_bar(description, total, wanted):
    """Show on stderr how much of `total` is done.

    Args:
        description: str.
        total: int.
        wanted: True; False; or None to show it on a terminal only, after two seconds.

    Yields:
        A function to call whenever one more item is done.
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
