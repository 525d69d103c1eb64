"""PixelBudget: bounds the memory of threads that decode pictures."""

import contextlib
import threading
from collections.abc import Iterator


class PixelBudget:
    """Lets threads decode pictures together only while their pixels are within a limit.

    Args:
        limit: pixels decoded at once; a picture of more is decoded alone.

    Example:

    >>> budget = PixelBudget(1_000)
    >>> with budget.reserved(400), budget.reserved(600):
    ...     budget.used
    1000
    """

    def __init__(self, limit: int):
        self.limit, self.used, self._changed = limit, 0, threading.Condition()

    @contextlib.contextmanager
    def reserved(self, pixels: int) -> Iterator[None]:
        """Wait until `pixels` fit in the budget, and reserve them inside the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self.used or self.used + pixels <= self.limit)
            self.used += pixels
        try:
            yield
        finally:
            with self._changed:
                self.used -= pixels
                self._changed.notify_all()
