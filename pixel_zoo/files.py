"""Atomic writing of files, and directories that are new or have a single writer."""

import contextlib
import datetime
import json
import os
import pathlib
import signal
import socket
import tempfile
import threading

_LOCK = ".writer.lock"
_HOLDER = ".writer.json"


@contextlib.contextmanager
def replacing(path, *, new=False):
    """Yield a temporary path, which is renamed to `path` when the block ends without an error.

    The temporary path has the name of `path` and lies in a new directory beside it that only this user can write to.
    So no file of that name is touched, and no link can lead the writing elsewhere. What was written is on the disk
    before it is renamed. That directory is removed in any case: after an error, Ctrl-C or SIGTERM too.

    Args:
        path: the file or directory to be written; its old content stays until the block has ended.
        new: bool, whether to refuse to replace an existing file, even one that appeared while the block ran.

    Raises:
        FileExistsError: `new`, and there is a file already.

    Example:

    >>> path = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> with replacing(path) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> path.read_text()
    'whole'
    """
    path = pathlib.Path(path)
    with _unwinding_on_sigterm(), tempfile.TemporaryDirectory(prefix=".unfinished-", dir=path.parent) as directory:
        temporary = pathlib.Path(directory, path.name)
        yield temporary
        _synchronize(temporary)
        if new:
            _rename_to_new(temporary, path)
        else:
            os.replace(temporary, path)


@contextlib.contextmanager
def sole_writer(directory):
    """Be the only process that writes into a directory, or raise an error that says which one is.

    The lock ends with the process, however that ends. It does not stop processes that do not ask for it.

    Args:
        directory: an existing directory. The lock leaves two hidden files in it, which `holds_files` ignores.

    Raises:
        BlockingIOError: another process, or another thread of this one, is writing there; says its host, its process
            number and since when.

    Example:

    >>> directory = tempfile.mkdtemp()
    >>> with sole_writer(directory), sole_writer(directory):
    ...     pass
    Traceback (most recent call last):
    ...
    BlockingIOError: output: '...' is being written by process ... on ... since ...; wait for it, or name another ...
    """
    import filelock  # imported here: a machine that only loads and samples may lack it

    directory = pathlib.Path(directory)
    try:
        lock = filelock.FileLock(directory / _LOCK, thread_local=False).acquire(blocking=False)
    except filelock.Timeout:
        raise BlockingIOError(
            f"output: {str(directory)!r} is being written by {_holder(directory)}; wait for it, or "
            "name another directory"
        ) from None
    with lock:
        since = datetime.datetime.now().astimezone().isoformat(" ", timespec="seconds")
        with replacing(directory / _HOLDER) as temporary:
            temporary.write_text(json.dumps({"host": socket.gethostname(), "process": os.getpid(), "since": since}))
        try:
            yield
        finally:
            (directory / _HOLDER).unlink(missing_ok=True)


def holds_files(directory):
    """Whether a directory holds anything but the files of `sole_writer`.

    Example:

    >>> holds_files(tempfile.mkdtemp())
    False
    """
    return any(path.name not in (_LOCK, _HOLDER) for path in pathlib.Path(directory).iterdir())


def new_directory(path):
    """Make the directory `path`, unless it holds anything already.

    Args:
        path: the directory; missing parents are made too.

    Returns:
        `path` as a `pathlib.Path`.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: it holds files, or cannot be written.

    Example:

    >>> new_directory(pathlib.Path(tempfile.mkdtemp(), "runs", "first")).name
    'first'
    """
    path = pathlib.Path(path)
    if path.is_dir() and holds_files(path):
        raise FileExistsError(f"output: {str(path)!r} already holds files; name a new or empty directory")
    return writable_directory(path)


def writable_directory(path):
    """Make the directory `path` if it does not exist, and raise an OSError unless files can be written into it."""
    path = pathlib.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise type(error)(f"output: {str(path)!r} cannot be written: {error.strerror}") from error
    return path


@contextlib.contextmanager
def _unwinding_on_sigterm():
    """Let SIGTERM raise inside the block, so that it cleans up before the signal takes its usual effect.

    If a handler is already set, the signal waits for the end of the block and then goes to that handler.
    """
    before = signal.getsignal(signal.SIGTERM)
    if before is None or threading.current_thread() is not threading.main_thread():  # handlers can be set only there
        yield
        return
    received = []

    def handle(number, frame):
        received.append(number)
        if before is signal.SIG_DFL:
            raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if received:
            signal.raise_signal(signal.SIGTERM)


def _synchronize(path):
    """Have a file, or the files of a directory, written to the disk."""
    for file in path.rglob("*") if path.is_dir() else (path,):
        if file.is_file():
            with open(file, "rb") as content:
                os.fsync(content.fileno())


def _rename_to_new(temporary, path):
    """Rename a file or a directory, unless there is one of the new name already."""
    try:
        if temporary.is_dir():
            os.rename(temporary, path)  # replaces nothing but an empty directory
        else:
            _link_or_rename(temporary, path)
    except OSError as error:
        if not os.path.lexists(path):
            raise
        raise FileExistsError(f"output: {str(path)!r} exists already; choose another name") from error


def _link_or_rename(temporary, path):
    try:
        os.link(temporary, path)
    except OSError as error:
        if isinstance(error, FileExistsError | FileNotFoundError):
            raise
        path.touch(exist_ok=False)  # a file system without hard links
        os.replace(temporary, path)


def _holder(directory):
    """The process that has the lock of a directory, in words."""
    try:
        holder = json.loads((directory / _HOLDER).read_text())
        return f"process {holder['process']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError):  # it has only just acquired the lock
        return "another process"
