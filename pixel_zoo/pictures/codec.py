"""The pictures that the images of a model stand for: themselves, or what codes are decoded to."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # pictures are drawn without Keras, too
    from pixel_zoo.models.image_model import ImageModel

PICTURE_LEVELS = 256  # of the pictures that codes stand for, uint8


class Codec:
    """Encodes pictures to the images of a model, and decodes them.

    The images of a prior over codes are codes, each of which stands for a block of pixels. The images of any other
    model are pictures already, so nothing is changed.

    Args:
        model: a model of `pixel_zoo.models`, or anything with its `image_shape` and `levels`.
        encode: function from pictures uint8 (n, *picture_shape) to the model's images, or None.
        decode: function from the model's images to such pictures, or None.
        picture_shape: (height, width, colours) of such a picture; height and width are multiples of the images'.

    Attributes:
        image_shape: (height, width, colours) of a picture.
        levels: int, the values of a picture are 0..levels-1.
        block: (rows, columns) of the pixels that a code stands for.

    Example:

    >>> model = pz.models.PixelCNN((4, 4, 1), levels=8, filters=4, num_blocks=1, head_filters=4)
    >>> Codec(model).decode(np.zeros((2, 4, 4, 1), int)).shape
    (2, 4, 4, 1)
    >>> prior = Codec(model, lambda x: x[:, ::2, ::2] // 32, lambda x: 32 * x.repeat(2, 1).repeat(2, 2), (8, 8, 1))
    >>> prior.decode(np.zeros((2, 4, 4, 1), int)).shape, prior.levels, prior.block
    ((2, 8, 8, 1), 256, (2, 2))
    """

    def __init__(
        self,
        model: "ImageModel",
        encode: Callable[[np.ndarray], np.ndarray] | None = None,
        decode: Callable[[np.ndarray], np.ndarray] | None = None,
        picture_shape: Sequence[int] | None = None,
    ) -> None:
        self._encode, self._decode = encode, decode
        self._codes_shape = tuple(model.image_shape)
        self.of_codes: bool = picture_shape is not None
        self.image_shape: tuple[int, ...] = tuple(model.image_shape if picture_shape is None else picture_shape)
        self.levels: int = PICTURE_LEVELS if self.of_codes else model.levels
        self.block: tuple[int, int] = (
            self.image_shape[0] // model.image_shape[0],
            self.image_shape[1] // model.image_shape[1],
        )

    def encodes(self, image_shape: Sequence[int], levels: int) -> bool:
        """Whether images of a data set are pictures that have to be encoded.

        Raises:
            ValueError: they are neither such pictures nor of the shape of codes.
        """
        shape = tuple(image_shape)
        if not self.of_codes or shape == self._codes_shape:
            return False
        if (shape, levels) != (self.image_shape, self.levels):
            raise ValueError(
                f"data: the model takes pictures of shape {self.image_shape} and {self.levels} levels, or their codes "
                f"of shape {self._codes_shape}, got images of shape {shape} and {levels} levels"
            )
        return True

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        """The model's images (n, ...) of pictures (n, height, width, colours)."""
        return pictures if self._encode is None else self._encode(np.asarray(pictures, "uint8"))

    def decode(self, images: np.ndarray) -> np.ndarray:
        """Pictures (..., height, width, colours) of the model's images, with the same dimensions before.

        Raises:
            TypeError: what decodes them returns no integers.
        """
        images = np.asarray(images)
        if self._decode is None:
            return images
        pictures = np.asarray(self._decode(images.reshape(-1, *images.shape[-3:])))
        if pictures.dtype.kind not in "iu":
            raise TypeError(f"decoded pictures must be integers 0..{PICTURE_LEVELS - 1}, got {pictures.dtype}")
        return pictures.reshape(*images.shape[:-3], *self.image_shape)

    def encode_known(self, pictures: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The model's images of partly known pictures, and what is known of them.

        A code is known if all its pixels are. Unknown pixels are blanked, because a code also describes some pixels
        around its own.

        Args:
            pictures: integers (n, height, width, colours).
            known: bool (height, width), True where a pixel is known.
        """
        return self.encode(np.where(known[..., None], pictures, 0)), self.wholly_known(known)

    def wholly_known(self, known: np.ndarray) -> np.ndarray:
        """The mask of the codes of which all pixels are known, for a bool mask (height, width) of pixels.

        Example:

        >>> model = pz.models.PixelCNN((1, 2, 1), filters=2, num_blocks=1)
        >>> codec = Codec(model, None, None, (2, 4, 1))
        >>> codec.wholly_known(np.array([[True, True, True, False], [True, True, True, True]]))
        array([[ True, False]])
        """
        (rows, columns), (height, width) = self.block, known.shape
        return np.all(known.reshape(height // rows, rows, width // columns, columns), axis=(1, 3))

    def enlarge(self, values: np.ndarray) -> np.ndarray:
        """Values (height, width) of codes, such as a mask, as those of their pixels.

        Example:

        >>> model = pz.models.PixelCNN((1, 2, 1), filters=2, num_blocks=1)
        >>> Codec(model, None, None, (2, 4, 1)).enlarge(np.array([[1, 0]]))
        array([[1, 1, 0, 0],
               [1, 1, 0, 0]])
        """
        return values.repeat(self.block[0], axis=0).repeat(self.block[1], axis=1)
