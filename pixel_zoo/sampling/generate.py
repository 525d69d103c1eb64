"""Generation and completion of images from any functional model of raster layers."""

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.arguments import (
    check_conditioning,
    check_partly_known,
    check_running,
    check_sampling,
    check_seeds,
)
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import other_inputs
from pixel_zoo.progress import progress_bar
from pixel_zoo.sampling.packing import pack, pack_maps
from pixel_zoo.sampling.samplers import Sampler
from pixel_zoo.sampling.walker import Walker, from_rows, to_rows


def generate(
    model,
    num_images=16,
    seed=0,
    temperature=1.0,
    top_k=None,
    top_p=None,
    conditioning=(),
    stream=0,
    batch_size=128,
    jit_compile="auto",
    progress=None,
    return_log_likelihood=False,
):
    """Draw images from the model, pixel by pixel and exactly.

    Args:
        model: functional Keras model of raster and pointwise layers, from integers (height, width, colours) to logits.
        num_images: int, how many.
        seed: int, for images of seeds seed, seed + 1, ...; or one integer per image. An image depends on its seed
            alone, not on which others are drawn with it.
        temperature: float >= 0 that logits are divided by; 0 takes the most likely value.
        top_k: int or None, draw among the k most likely values only.
        top_p: float in (0, 1] or None, draw among the fewest values whose probabilities sum to at least p.
        conditioning: the model's inputs other than the image, in their order, one array each with an entry per image.
        stream: int, which of a seed's independent streams of random numbers is used: the stages of a multi-scale model
            take one each.
        batch_size: int, how many images are drawn at a time; memory grows with it, and with the width of the image.
        jit_compile: bool or "auto", whether TensorFlow compiles with XLA (JAX always does). XLA draws most models
            faster, but its first run takes long, for deep models a minute: "auto" takes it for 16 batches or more.
        progress: bool, whether to show on stderr how many rows are done; None: on a terminal, if it takes long.
        return_log_likelihood: bool, whether to return the log-likelihood too. It costs nothing.

    Returns:
        NumPy array (num_images, height, width, colours): uint8, or int32 for a model of more than 256 levels. With
        `return_log_likelihood`, a pair of it and a float32 NumPy array (num_images,) of nats under the model itself,
        whatever the temperature, top_k and top_p.

    Raises:
        ValueError, TypeError: naming the argument that is wrong, before any work.

    Example:
    >>> import pixel_zoo as pz
    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> generate(model, num_images=2, seed=7).shape
    (2, 4, 4, 1)
    """
    positive_integer("num_images", num_images)
    seeds = check_seeds(seed, num_images)
    check_sampling(temperature, top_k, top_p)
    check_running(batch_size, jit_compile, progress)
    walk = _walk(model, top_k, top_p, _use_xla(jit_compile, num_images, batch_size))
    check_conditioning(conditioning, other_inputs(model), num_images)
    per_image = {"seeds": seeds, "conditioning": list(conditioning)}
    return walk(per_image, temperature, stream, batch_size, progress, return_log_likelihood)


def complete(
    model,
    images,
    known,
    seed=0,
    temperature=1.0,
    top_k=None,
    top_p=None,
    conditioning=(),
    stream=0,
    batch_size=128,
    jit_compile="auto",
    progress=None,
    return_log_likelihood=False,
):
    """Draw the unknown pixels of images, given the known ones before them in raster order.

    Rows above the first unknown pixel are not sampled but run in parallel, as are all rows that are known in every
    image of a batch.

    Args:
        model: functional Keras model of raster and pointwise layers, from integers (height, width, colours) to logits.
        images: integers 0..levels-1 (batch, height, width, colours); what they hold where `known` is False is not read.
        known: bool (batch, height, width) or (height, width), True where a pixel is known, in all its colours.
        seed, temperature, top_k, top_p: as in `generate`.
        conditioning, stream, batch_size, jit_compile, progress, return_log_likelihood: as in `generate`. The
            log-likelihood is that of the whole image, known pixels too.

    Returns:
        NumPy array of the images' shape, uint8 or int32 as in `generate`; known pixels are as they came. With
        `return_log_likelihood`, a pair as in `generate`.

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
    check_running(batch_size, jit_compile, progress)
    images = np.asarray(images)
    walk = _walk(model, top_k, top_p, _use_xla(jit_compile, len(images) if images.ndim else 0, batch_size))
    images, known = check_partly_known(images, known, walk.image_shape, walk.levels)
    check_conditioning(conditioning, other_inputs(model), len(images))
    per_image = {
        "images": images.astype("int32"),
        "known": known,
        "seeds": check_seeds(seed, len(images)),
        "conditioning": list(conditioning),
    }
    return walk(per_image, temperature, stream, batch_size, progress, return_log_likelihood)


def _use_xla(jit_compile, num_images, batch_size):
    """Compiling with XLA is worth its time when what it compiled runs often enough."""
    return num_images >= 16 * batch_size if jit_compile == "auto" else jit_compile


def _walk(model, top_k, top_p, xla):
    """The model's compiled walk, made once per model and choice."""
    walks = model.__dict__.setdefault("_pixel_zoo_walks", {})
    choice = (top_k, top_p, xla)
    if choice not in walks:
        walks[choice] = _Walk(model, Sampler(top_k, top_p), xla)
    return walks[choice]


class _Walk:
    """A walker, compiled row by row, from NumPy to NumPy.

    The loop over rows is Python's: it can tell how far it is, be interrupted, and choose for each row what is run.
    """

    def __init__(self, model, sampler, xla):
        walker = Walker(model, sampler)
        self.image_shape, self.levels = walker.graph.image_shape, walker.likelihood.levels

        def start(high, low, stream, conditioning):
            noise = backend.uniform_noise((high, low), self.image_shape, stream)
            weights, states, maps = walker.start(ops.shape(high)[0], conditioning)
            # Once traced, always the same: shapes of weights and features of maps don't change.
            weights, self._unpack = pack(weights)
            maps, self._unpack_maps = pack_maps(maps)
            return to_rows(noise), weights, maps, states

        def sample_row(weights, maps, *args):
            return walker.sample_row(self._unpack(weights), self._unpack_maps(maps), *args)

        def known_row(weights, maps, *args):
            return walker.known_row(self._unpack(weights), self._unpack_maps(maps), *args)

        self._start = backend.compiled(start, model.variables, xla=False)
        self._sample_row = backend.compiled(sample_row, [], xla=xla)
        self._known_row = backend.compiled(known_row, [], xla=xla)

    def __call__(self, per_image, temperature, stream, batch_size, progress, return_log_likelihood):
        """Draw images in batches of one size, so that few sizes are compiled: the last is filled up with repeats."""
        count = len(per_image["seeds"])
        size = min(batch_size, count)
        firsts = range(0, count, size)
        parts = []
        with progress_bar("Sampling rows", len(firsts) * self.image_shape[0], progress) as row_done:
            for first in firsts:
                batch = np.arange(first, first + size) % count
                part = keras.tree.map_structure(lambda x, batch=batch: np.asarray(x)[batch], per_image)
                parts.append(self._batch(part, np.full(size, temperature, "float32"), np.uint32(stream), row_done))
        values, log_likelihood = (np.concatenate(part)[:count] for part in zip(*parts, strict=True))
        images = values.astype("uint8" if self.levels <= 256 else "int32")
        return (images, log_likelihood) if return_log_likelihood else images

    def _batch(self, batch, temperature, stream, row_done):
        words = backend.seed_words(batch["seeds"])
        noise, weights, maps, states = self._start(*words, stream, batch["conditioning"])
        rows, log_likelihood = [], 0.0
        for r in range(self.image_shape[0]):
            row_maps = {key: rows[r] for key, rows in maps.items()}
            known = batch["known"][:, r].T if "known" in batch else np.zeros(1, bool)
            given = batch["images"][:, r].swapaxes(0, 1) if known.any() else None
            if known.all():
                states, values, nats = self._known_row(weights, row_maps, states, given)
            else:
                partly = (given, known) if known.any() else ()
                states, values, nats = self._sample_row(weights, row_maps, states, noise[r], temperature, *partly)
            rows.append(ops.convert_to_numpy(values))
            log_likelihood = log_likelihood + ops.convert_to_numpy(nats)
            row_done()
        return ops.convert_to_numpy(from_rows(np.stack(rows))), log_likelihood
