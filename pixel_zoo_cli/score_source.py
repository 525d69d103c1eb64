"""The images that `pixel-zoo score` reads: picture files, or a split of a data set."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from pixel_zoo_cli.picture_files import check_pictures, read_pictures


@dataclasses.dataclass(frozen=True)
class Source:
    """Images in a fixed order, read a batch at a time.

    Attributes:
        identity: dictionary of JSON values that tells this source from others.
        count: int, the number of images.
        read: maps (first, last) to the images first .. last - 1, integers (n, height, width, colours).
        files: the name of each image's file, or None where an image has an index alone.
        labels: integers (count,), or None; the table has them, and a class-conditional model is given them.
    """

    identity: dict[str, Any]
    count: int
    read: Callable
    files: Sequence[str] | None = None
    labels: Any = None


def source_of_files(model, codec, paths, labels):
    """Picture files as a `Source`; the header of each is read, so that a wrong one is found before any work.

    Args:
        model: the model.
        codec: its `Codec`, which says what the pictures must be, and encodes them.
        paths: list of pathlib.Path.
        labels: None, an integer for all of them, or one for each.
    """
    from pixel_zoo.arguments import check_labels

    check_pictures(paths, codec)
    names = [str(path) for path in paths]
    digest = hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()
    return Source(
        identity={"files": f"{len(names):,} with SHA-256 of their names {digest}", "label": labels},
        count=len(names),
        read=lambda first, last: codec.encode(read_pictures(paths[first:last], codec)),
        files=names,
        labels=None if labels is None else check_labels(labels, model.num_classes, len(names)),
    )


def source_of_data(model, codec, name, split, options, labels):
    """A split of a data set as a `Source`.

    Args:
        model: the model, whose images must have the data's shape and levels.
        codec: its `Codec`. Data of the pictures that it encodes are encoded.
        name, split, options: as on the command line.
        labels: as of `source_of_files`; None for the labels of the data.
    """
    import numpy as np

    from pixel_zoo import data
    from pixel_zoo.arguments import check_labels
    from pixel_zoo.training.evaluation import check_fits
    from pixel_zoo.training.recipe import parse_data_options
    from pixel_zoo.zoo.codecs import encoded

    data_set = encoded(data.info(name, **parse_data_options(name, options)), model, codec)
    check_fits(model, data_set, given_labels=labels is not None)
    images = data.arrays(data_set, split)
    of_data = None if data_set.classes is None else data.labels(data_set, split)
    return Source(
        identity={
            "data": name,
            "split": split,
            "data options": sorted(options),
            "label": labels,
            "images": len(images),
        },
        count=len(images),
        read=lambda first, last: np.asarray(images[first:last]),  # which may be mapped from a file
        labels=of_data if labels is None else check_labels(labels, model.num_classes, len(images)),
    )
