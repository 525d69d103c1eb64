"""Generation and completion of images from any functional model of raster layers."""

import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.sampling.arguments import check_count, check_images, check_known, check_sampling, check_seeds
from pixel_zoo.sampling.samplers import Sampler
from pixel_zoo.sampling.walker import Walker


def generate(model, num_images=16, seed=0, temperature=1.0, top_k=None, top_p=None):
    """Draw images from the model, pixel by pixel and exactly.

    Args:
        model: functional Keras model of raster and pointwise layers, from integers (height, width, colours) to logits.
        num_images: int, how many.
        seed: int, for images of seeds seed, seed + 1, ...; or one integer per image. An image depends on its seed
            alone, not on which others are drawn with it.
        temperature: float >= 0 that logits are divided by; 0 takes the most likely value.
        top_k: int or None, draw among the k most likely values only.
        top_p: float in (0, 1] or None, draw among the fewest values whose probabilities sum to at least p.

    Returns:
        NumPy array (num_images, height, width, colours): uint8, or int32 for a model of more than 256 levels.

    Raises:
        ValueError, TypeError: naming the argument that is wrong, before any work.

    Example:
    >>> import pixel_zoo as pz
    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> generate(model, num_images=2, seed=7).shape
    (2, 4, 4, 1)
    """
    check_count("num_images", num_images)
    seeds = check_seeds(seed, num_images)
    check_sampling(temperature, top_k, top_p)
    walk = _walk(model, top_k, top_p)
    shape = (num_images, *walk.image_shape)
    return walk(np.zeros(shape, "int32"), np.zeros(shape[:3], bool), seeds, temperature)


def complete(model, images, known, seed=0, temperature=1.0, top_k=None, top_p=None):
    """Draw the unknown pixels of images, given the known ones before them in raster order.

    Args:
        model: functional Keras model of raster and pointwise layers, from integers (height, width, colours) to logits.
        images: integers 0..levels-1 (batch, height, width, colours); what they hold where `known` is False is not read.
        known: bool (batch, height, width) or (height, width), True where a pixel is known, in all its colours.
        seed: as in `generate`.
        temperature: as in `generate`.
        top_k: as in `generate`.
        top_p: as in `generate`.

    Returns:
        NumPy array of the images' shape, uint8 or int32 as in `generate`; known pixels are as they came.

    Raises:
        ValueError, TypeError: naming the argument that is wrong, before any work.

    Example:
    >>> import pixel_zoo as pz
    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> known = np.zeros((4, 4), bool)
    >>> known[:2] = True
    >>> images = np.ones((3, 4, 4, 1), "uint8")
    >>> bool((complete(model, images, known)[:, :2] == 1).all())
    True
    """
    check_sampling(temperature, top_k, top_p)
    walk = _walk(model, top_k, top_p)
    images = np.asarray(images)
    shown = images
    if images.ndim == 4 and np.shape(known) in (images.shape[:3], images.shape[1:3]):
        # Unknown values may be anything: whoever marks them by 255 or -1 need not clean up first.
        shown = np.where(
            np.broadcast_to(known, images.shape[:3])[..., None].astype(bool), images, np.zeros_like(images)
        )
    images = check_images(shown, walk.image_shape, walk.levels)
    known = check_known(known, images)
    return walk(images.astype("int32"), known, check_seeds(seed, len(images)), temperature)


def _walk(model, top_k, top_p):
    """The model's compiled walk, made once per model and choice of top_k and top_p."""
    walks = model.__dict__.setdefault("_pixel_zoo_walks", {})
    if (top_k, top_p) not in walks:
        walks[top_k, top_p] = _Walk(model, Sampler(top_k, top_p))
    return walks[top_k, top_p]


class _Walk:
    """A walker, compiled, from NumPy to NumPy."""

    def __init__(self, model, sampler):
        walker = Walker(model, sampler)
        self.image_shape, self.levels = walker.graph.image_shape, walker.likelihood.levels

        def run(images, known, high, low, temperature):
            noise = backend.uniform_noise((high, low), self.image_shape)
            return walker(images, known, noise, temperature)

        self._run = backend.compiled(run, model.variables)

    def __call__(self, images, known, seeds, temperature):
        temperatures = np.full(len(images), temperature, "float32")
        values, _ = self._run(images, known, *backend.seed_words(seeds), temperatures)
        return ops.convert_to_numpy(values).astype("uint8" if self.levels <= 256 else "int32")
