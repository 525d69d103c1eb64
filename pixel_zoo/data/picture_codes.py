"""The codes of the pictures of a data set, by an encoder that comes with the package."""

from collections.abc import Callable

import numpy as np

from pixel_zoo.data.data_set import DataSet, dtype_of
from pixel_zoo.shipped import shipped


def codes_of(name: str, pictures: DataSet, code_shape: tuple[int, int, int], levels: int, description: str) -> DataSet:
    """A data set of codes: the pictures of another one, encoded by a tokenizer that comes with the package.

    Args:
        name: its name. The encoder is `exported/NAME.encoder.keras`: pictures (batch, ...) to integers
            (batch, *code_shape).
        pictures: the `DataSet` of the pictures, whose splits and labels it has.
        code_shape: (height, width, channels) of the codes of a picture.
        levels: the codes are 0 .. levels - 1.
        description: what the codes are.

    Example:

    >>> from pixel_zoo import data
    >>> mnist_vq = data.info("mnist_vq")
    >>> mnist_vq.image_shape, mnist_vq.levels, mnist_vq.classes
    ((7, 7, 1), 128, 10)
    """
    return DataSet(
        name=name,
        image_shape=code_shape,
        levels=levels,
        splits=pictures.splits,
        description=description,
        source=pictures.source,
        read=_encoded(pictures.read, f"{name}.encoder.keras", dtype_of(levels)),
        classes=pictures.classes,
        read_labels=pictures.read_labels,
        is_here=pictures.is_here,
    )


def _encoded(read: Callable[[str], np.ndarray], encoder: str, dtype: str) -> Callable[[str], np.ndarray]:
    """A function split -> codes of the pictures that `read` reads."""

    def read_codes(split):
        import keras  # imported here: most data sets need no model

        model = keras.models.load_model(shipped("exported") / encoder, compile=False)
        return model.predict(read(split), batch_size=256, verbose=0).astype(dtype)

    return read_codes
