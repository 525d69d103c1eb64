"""Tables of scores: a .csv, .npz or .parquet file, by its name."""

import csv
import importlib.util
import os
import zipfile

SUFFIXES = (".csv", ".npz", ".parquet")


def check_new_table(path):
    """Raise unless `path` can become a new table; needs no Keras."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"output: {str(path)!r} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if path.exists():
        raise FileExistsError(f"output: {str(path)!r} exists already; name another file")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise FileNotFoundError(f"output: {str(path.parent)!r} is not a directory that can be written")
    if suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ImportError("output: .parquet needs pyarrow: pip install 'pixel-zoo[parquet]'; .csv needs nothing more")


def write_table(path, chunks):
    """Write a new table.

    Args:
        path: pathlib.Path, as of `check_new_table`.
        chunks: iterable of some rows each: dictionary from the name of a column to an array, or a list of texts. A .csv
            or a .parquet file is written chunk by chunk; the columns of a .npz file are put together in memory.
    """
    from pixel_zoo.files import replacing

    write = {".csv": _write_csv, ".npz": _write_npz, ".parquet": _write_parquet}[path.suffix.lower()]
    with replacing(path, new=True) as temporary:
        write(temporary, iter(chunks))


def _write_csv(path, chunks):
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        for index, chunk in enumerate(chunks):
            if not index:
                writer.writerow(chunk)
            # NumPy's text of a float32 is the shortest that reads as the same float32.
            texts = [column if isinstance(column, list) else column.astype(str) for column in chunk.values()]
            writer.writerows(zip(*texts, strict=True))


def _write_npz(path, chunks):
    import numpy as np

    parts = list(chunks)
    with zipfile.ZipFile(path, "w") as archive:  # `np.savez` takes no array of the name `file`
        for name in parts[0]:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.concatenate([part[name] for part in parts]), allow_pickle=False)


def _write_parquet(path, chunks):
    import pyarrow
    import pyarrow.parquet

    first = pyarrow.table(next(chunks))
    with pyarrow.parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(pyarrow.table(chunk, schema=first.schema))
