"""Files in pieces: a folder for each file, with `1-of-3` and so on. Needs only Python."""

import os
import pathlib
import tempfile


def split(path, folder, size):
    """Write a file as pieces into a folder.

    Args:
        path: the file.
        folder: where to write the pieces; created if missing.
        size: int, the bytes of a piece at most.

    Returns:
        List of the pieces' paths; an empty file has one.

    Example:

    >>> import tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "note.txt").write_text("whole")
    >>> [piece.name for piece in split(folder / "note.txt", folder / "pieces", size=2)]
    ['1-of-3', '2-of-3', '3-of-3']
    >>> join(folder / "pieces", folder / "again.txt")
    >>> (folder / "again.txt").read_text()
    'whole'
    """
    path, folder = pathlib.Path(path), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [folder / name for name in names(path, size)]
    with open(path, "rb") as file:
        for piece in pieces:
            piece.write_bytes(file.read(size))
    return pieces


def names(path, size):
    """The names of the pieces of a file."""
    count = max(1, -(-os.path.getsize(path) // size))
    return [f"{number}-of-{count}" for number in range(1, count + 1)]


def join(folder, path):
    """Join a file from its pieces; the file is written whole or not at all.

    Args:
        folder: that of `split`.
        path: the file to be written.

    Raises:
        FileNotFoundError: there are no pieces, or not all; names those that are missing.
        ValueError: the pieces are not of one file.
    """
    folder, path = pathlib.Path(folder), pathlib.Path(path)
    there = {piece.name for piece in folder.glob("*-of-*")}
    counts = {name.split("-of-")[1] for name in there}
    if len(counts) > 1:
        raise ValueError(f"pieces: {str(folder)!r} holds those of several files: {', '.join(sorted(there))}")
    wanted = [f"{number}-of-{count}" for count in counts for number in range(1, int(count) + 1)]
    missing = [name for name in wanted if name not in there]
    if missing or not there:
        raise FileNotFoundError(f"pieces: {str(folder)!r} lacks {', '.join(missing) or 'all, such as 1-of-1'}")
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=path.absolute().parent) as directory:
        whole = pathlib.Path(directory, path.name)
        with open(whole, "wb") as file:
            for name in wanted:
                file.write((folder / name).read_bytes())
        os.replace(whole, path)
