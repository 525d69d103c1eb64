"""Writing files so that a reader never meets half of one, and directories that hold nothing else."""

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


def new_directory(path):
    """Make the directory `path`, unless it holds anything already.

    Args:
        path: the directory; parents that are missing are made too.

    Returns:
        `path` as a `pathlib.Path`.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: it holds files, or can't be written.

    Example:

    >>> import tempfile
    >>> new_directory(pathlib.Path(tempfile.mkdtemp(), "runs", "first")).name
    'first'
    """
    path = pathlib.Path(path)
    if path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"output: {str(path)!r} already holds files; name a new or empty directory")
    return writable_directory(path)


def writable_directory(path):
    """Make the directory `path` if need be, and raise an OSError unless files can be written into it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / ".unfinished").touch()
        (path / ".unfinished").unlink()
    except OSError as error:
        raise type(error)(f"output: {str(path)!r} can't be written: {error.strerror}") from error
    return path
