"""Writing files so that a reader never meets half of one."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`, which takes the place of `path` when the block ends without an error.

    Args:
        path: the file to be written; what it held stays until the block has ended.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> with replacing(path) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> path.read_text()
    'whole'
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".unfinished-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
