"""Images in compressed blocks, for small transfers. Needs only Python and NumPy."""

import concurrent.futures
import hashlib
import json
import lzma

import numpy as np

IMAGES_A_BLOCK = 2500
# Residuals hold few repeats: literal coding without context compresses them best.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]


def pack_images(array, folder):
    """Write an array as compressed blocks and a manifest.

    Each value is replaced by its difference from what its left and upper neighbours predict, and red and blue by their
    difference from green; the differences of photographs are small, and compress to about half the size.

    Args:
        array: uint8 (N, height, width, channels).
        folder: pathlib.Path, created.

    Returns:
        List of the blocks' paths. `manifest.json`, which must be transferred too, holds the shape and a SHA-256 hash.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp(), "images")
    >>> images = np.arange(48, dtype="uint8").reshape(1, 4, 4, 3)
    >>> [block.name for block in pack_images(images, folder)]
    ['1-of-1.xz']
    >>> bool((unpack_images(folder) == images).all())
    True
    """
    folder.mkdir(parents=True)
    count = max(1, -(-len(array) // IMAGES_A_BLOCK))
    blocks = [folder / f"{number}-of-{count}.xz" for number in range(1, count + 1)]
    for block, path in enumerate(blocks):
        images = array[block * IMAGES_A_BLOCK :][:IMAGES_A_BLOCK]
        path.write_bytes(lzma.compress(_residuals(images).tobytes(), format=lzma.FORMAT_XZ, filters=FILTERS))
    manifest = {"shape": array.shape, "blocks": count, "sha256": hashlib.sha256(array.tobytes()).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest) + "\n")
    return blocks


def unpack_images(folder):
    """Restore the array of `pack_images`.

    Raises:
        FileNotFoundError: blocks are missing; names them.
        ValueError: the images differ in number or hash from those that were packed.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    blocks = [folder / f"{number}-of-{manifest['blocks']}.xz" for number in range(1, manifest["blocks"] + 1)]
    missing = [block.name for block in blocks if not block.exists()]
    if missing:
        raise FileNotFoundError(
            f"{folder.name}: {len(missing)} of {len(blocks)} blocks are missing, such as {missing[0]}"
        )
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = list(pool.map(lambda path: _images(path, manifest["shape"][1:]), blocks))
    array = np.concatenate(parts)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    if list(array.shape) != manifest["shape"] or digest != manifest["sha256"]:
        raise ValueError(
            f"{folder.name}: packed {manifest['shape']} with SHA-256 {manifest['sha256'][:12]}..., "
            f"unpacked {list(array.shape)} with {digest[:12]}..."
        )
    return array


def _residuals(images):
    """Colour planes of x - left - upper + upper left, red and blue relative to green, all modulo 256."""
    planes = np.moveaxis(images, 3, 0).copy()
    planes[..., 1:] -= planes[..., :-1].copy()
    planes[..., 1:, :] -= planes[..., :-1, :].copy()
    if len(planes) == 3:
        planes[0] -= planes[1]
        planes[2] -= planes[1]
    return planes


def _images(path, shape):
    """The images of one block: the inverse of `_residuals`."""
    height, width, channels = shape
    planes = np.frombuffer(lzma.decompress(path.read_bytes()), "uint8").reshape(channels, -1, height, width).copy()
    if channels == 3:
        planes[0] += planes[1]
        planes[2] += planes[1]
    np.cumsum(planes, axis=-2, dtype="uint8", out=planes)
    np.cumsum(planes, axis=-1, dtype="uint8", out=planes)
    return np.moveaxis(planes, 0, 3)
