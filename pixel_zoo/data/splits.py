"""Splits by content, so that images added later do not move others."""

import numpy as np

_SPLIT_OF_TENTH = 8 * ["train"] + ["validation", "test"]


def split_by_digest(rows: np.ndarray, digests: list[str]) -> dict[str, np.ndarray]:
    """Split images 80 : 10 : 10 by a hash of each.

    An image is in the same split whatever the other images are, and equal images are in one split.

    Args:
        rows: array (N, ...).
        digests: N hashes of 64 hexadecimal digits.

    Returns:
        Dictionary of "train", "validation" and "test": the rows of each, in their order.

    Example:

    >>> parts = split_by_digest(np.arange(3), ["00", "09", "0a"])
    >>> {split: rows.tolist() for split, rows in parts.items()}
    {'train': [0, 2], 'validation': [], 'test': [1]}
    """
    split_of_row = np.array([_SPLIT_OF_TENTH[int(digest, 16) % 10] for digest in digests])
    return {split: rows[split_of_row == split] for split in ("train", "validation", "test")}
