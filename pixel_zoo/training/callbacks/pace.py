"""How often something may be saved."""

import contextlib
import time
from collections.abc import Iterator

SHARE = 0.02


class Pace:
    """Tells when to save, so that saving takes at most two percent of the time.

    Example:

    >>> pace = Pace()
    >>> with pace.saving():
    ...     time.sleep(0.01)
    >>> pace.due()
    False
    """

    def __init__(self) -> None:
        self._next = time.monotonic()

    def due(self) -> bool:
        """Return whether enough time has passed since the last save."""
        return time.monotonic() >= self._next

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Measure how long the block takes."""
        started = time.monotonic()
        yield
        ended = time.monotonic()
        self._next = ended + (ended - started) / SHARE
