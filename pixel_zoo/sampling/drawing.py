"""Generation of images from any functional model of raster layers."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Self, TypedDict, Unpack

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from pixel_zoo import backend
from pixel_zoo.arguments import check_seeds
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import check_conditions, condition_values
from pixel_zoo.progress import progress_bar
from pixel_zoo.sampler import Sampler, sampler_of
from pixel_zoo.sampling.packing import FeaturePacking, pack
from pixel_zoo.sampling.walker import Walker, to_rows


class DrawingOptions(TypedDict, total=False):
    """Keyword arguments of everything that draws images; see `generate`."""

    sampler: Sampler | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    batch_size: int
    jit_compile: bool | str
    progress: bool | None


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How images are drawn: the sampler, and how the drawing is run. Attributes: see `generate`."""

    sampler: Sampler
    batch_size: int = 128
    jit_compile: bool | str = "auto"
    progress: bool | None = None

    def __post_init__(self):
        positive_integer("batch_size", self.batch_size)
        if not isinstance(self.jit_compile, bool) and self.jit_compile != "auto":
            raise ValueError(f"jit_compile must be True, False or 'auto', got {self.jit_compile!r}")
        if not isinstance(self.progress, bool | None):
            raise ValueError(f"progress must be True, False or None, got {self.progress!r}")

    @classmethod
    def of(cls, **options: Unpack[DrawingOptions]) -> Self:
        """The drawing that keyword arguments describe; a TypeError for any other name."""
        known, arguments = DrawingOptions.__annotations__, dict[str, Any](options)
        for name in arguments:
            if name not in known:
                raise TypeError(f"unexpected argument {name!r}; options are {', '.join(known)}")
        of_sampler = {
            name: arguments.pop(name) for name in ("sampler", "temperature", "top_k", "top_p") if name in arguments
        }
        return cls(sampler_of(**of_sampler), **arguments)

    def __call__(
        self,
        model: keras.Model,
        seeds: np.ndarray,
        conditions: dict[str, np.ndarray],
        images: np.ndarray | None = None,
        known: np.ndarray | None = None,
        stream: int = 0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw images, or their unknown pixels, from arguments that have been checked.

        Args:
            model: functional Keras model of raster layers.
            seeds: int64 array (count,).
            conditions: dictionary of the model's other inputs by name, see `check_conditions`.
            images, known: from `check_partly_known`, or None if nothing is known.
            stream: int, which of a seed's independent streams of random numbers is used.

        Returns:
            (images, log_likelihood): uint8 or int32 array (count, height, width, colours), float32 array (count,).

        Raises:
            ValueError: a log-likelihood is NaN.
        """
        per_image = {"seeds": seeds, "conditioning": condition_values(model, conditions)}
        if images is not None and known is not None:
            per_image |= {"images": images.astype("int32"), "known": known}
        kind = _WalkOfImages if self._is_quick(model, len(seeds)) else WalkOfRows
        walk = compiled_walk(kind, model, type(self.sampler), self.use_xla(len(seeds)))
        drawn, nats = walk(per_image, self, stream)
        if np.isnan(nats).any():
            raise ValueError(
                f"model: the log-likelihood of {np.isnan(nats).sum()} of {len(nats)} drawn images is NaN: its weights "
                "are NaN, or so large that its layers overflow"
            )
        return drawn, nats

    def _is_quick(self, model, count):
        """Whether images are drawn within a few seconds, so that nobody misses progress or needs to interrupt it."""
        walker = walker_of(model)
        products = model.count_params() * math.prod(walker.graph.image_shape[:2]) * count
        along_wavefront = not self.use_xla(count) and walker.draws_along_wavefront(count)
        most = 1e11 if along_wavefront else 4e10
        return self.progress is not True and count <= self.batch_size and products <= most

    def use_xla(self, count: int) -> bool:
        """Whether to compile with XLA, which pays off only if the compiled function runs often enough."""
        return count >= 16 * self.batch_size if isinstance(self.jit_compile, str) else self.jit_compile


def generate(
    model: keras.Model,
    num_images: int = 16,
    seed: ArrayLike = 0,
    *,
    conditioning: Sequence[ArrayLike] = (),
    stream: int = 0,
    return_log_likelihood: bool = False,
    **options: Unpack[DrawingOptions],
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Draw images from the model, pixel by pixel and exactly.

    Args:
        model: functional Keras model of raster and pointwise layers, from integers (height, width, colours) to logits.
        num_images: int, how many.
        seed: int, for images of seeds seed, seed + 1, ...; or one integer per image. An image depends on its seed
            alone, not on which others are drawn with it.
        conditioning: the model's inputs other than the image, in their order, one array each with an entry per image.
        stream: int, which of a seed's independent streams of random numbers is used: the stages of a multi-scale model
            take one each.
        return_log_likelihood: bool, whether to return the log-likelihood too. It costs nothing.
        sampler: `pixel_zoo.sampling.Sampler`, how values are drawn. New values of its options compile nothing.
        temperature, top_k, top_p: shorthand for a `Sampler` of these.
        batch_size: int, how many images are drawn at a time, 128 by default; memory grows with it, and with the width
            of the image.
        jit_compile: bool or "auto", whether TensorFlow compiles with XLA (JAX always does). XLA draws most models
            faster, but its first run takes long, for deep models a minute: "auto", the default, uses it for 16 batches
            or more.
        progress: bool, whether to show on stderr how many rows are done; None, the default: on a terminal, if it takes
            long.

    Returns:
        NumPy array (num_images, height, width, colours): uint8, or int32 for a model of more than 256 levels. With
        `return_log_likelihood`, a pair of it and a float32 NumPy array (num_images,) of nats under the model itself,
        whatever the sampler.

    Raises:
        ValueError, TypeError: naming the argument that is wrong, before any work.

    Example:
    >>> import pixel_zoo as pz
    >>> model = pz.models.PixelCNN((4, 4, 1), filters=4, num_blocks=1, head_filters=4)
    >>> generate(model, num_images=2, seed=7).shape
    (2, 4, 4, 1)
    """
    seeds = check_seeds(seed, positive_integer("num_images", num_images))
    drawing = Drawing.of(**options)
    walker_of(model)
    conditions = check_conditions(model, num_images, conditioning=conditioning)
    images, nats = drawing(model, seeds, conditions, stream=stream)
    return (images, nats) if return_log_likelihood else images


def walker_of(model, sampler_class=Sampler):
    """The model's walker, made once for each kind of sampler; an error if the model is no graph of raster layers."""
    walkers = model.__dict__.setdefault("_pixel_zoo_walkers", {})
    if sampler_class not in walkers:
        walkers[sampler_class] = Walker(model, sampler_class)
    return walkers[sampler_class]


def compiled_walk(kind, model, sampler_class, xla):
    """The model's compiled walk, made once for each kind of walk and of sampler, with XLA and without."""
    walks = model.__dict__.setdefault("_pixel_zoo_walks", {})
    if (kind, sampler_class, xla) not in walks:
        walks[kind, sampler_class, xla] = kind(walker_of(model, sampler_class), model.variables, xla)
    return walks[kind, sampler_class, xla]


class _WalkOfImages:
    """A walker, compiled for whole images, from NumPy to NumPy: of all ways the fastest for few images."""

    def __init__(self, walker, variables, xla):
        self.levels = walker.likelihood.levels

        def walk(high, low, stream, options, images, known, conditioning):
            noise = backend.uniform_noise((high, low), walker.graph.image_shape, stream)
            return walker(noise, options, images, known, conditioning)

        self._walk = backend.compiled(walk, variables, xla=xla)

    def __call__(self, per_image, drawing, stream):
        """Draw images in one batch."""
        words, options = backend.seed_words(per_image["seeds"]), drawing.sampler.options(len(per_image["seeds"]))
        partly = per_image.get("images"), per_image.get("known")
        values, nats = self._walk(*words, np.uint32(stream), options, *partly, per_image["conditioning"])
        return _unsigned(ops.convert_to_numpy(values), self.levels), ops.convert_to_numpy(nats)


class WalkOfRows:
    """A walker, compiled row by row, from NumPy to NumPy.

    The loop over rows runs in Python, so that it can show progress, be interrupted, and choose what to run for each
    row.
    """

    def __init__(self, walker, variables, xla):
        self.image_shape, self.levels = walker.graph.image_shape, walker.likelihood.levels
        self.packed_maps = FeaturePacking(axes=3)

        def start(high, low, stream, conditioning):
            noise = backend.uniform_noise((high, low), self.image_shape, stream)
            weights, states, maps = walker.start(ops.shape(high)[0], conditioning)
            weights, self.unpack = pack(weights)  # always the same: shapes of weights don't change
            maps = self.packed_maps.pack(maps)
            return to_rows(noise), weights, maps, states

        def sample_row(weights, maps, *args):
            return walker.sample_row(self.unpack(weights), self.packed_maps.unpack(maps), *args)

        def known_row(weights, maps, *args):
            return walker.known_row(self.unpack(weights), self.packed_maps.unpack(maps), *args)

        self.start = backend.compiled(start, variables, xla=False)
        self._sample_row = backend.compiled(sample_row, [], xla=xla)
        self._known_row = backend.compiled(known_row, [], xla=xla)

    def __call__(self, per_image, drawing, stream):
        """Draw images in batches of one size, so that few sizes are compiled: the last is filled up with repeats."""
        count = len(per_image["seeds"])
        size = min(drawing.batch_size, count)
        firsts, options = range(0, count, size), drawing.sampler.options(size)
        parts = []
        with progress_bar("Sampling rows", len(firsts) * self.image_shape[0], drawing.progress) as row_done:
            for first in firsts:
                index = np.arange(first, first + size) % count
                batch = keras.tree.map_structure(lambda x, index=index: x[index], per_image)
                parts.append(self._batch(batch, options, np.uint32(stream), row_done))
        values, log_likelihood = (np.concatenate(part)[:count] for part in zip(*parts, strict=True))
        return _unsigned(values, self.levels), log_likelihood

    def _batch(self, batch, options, stream, row_done):
        words = backend.seed_words(batch["seeds"])
        noise, weights, maps, states = self.start(*words, stream, batch["conditioning"])
        rows, log_likelihood = [], 0.0
        for r in range(self.image_shape[0]):
            row_maps = {key: rows[r] for key, rows in maps.items()}
            known = batch["known"][:, r].swapaxes(0, 1) if "known" in batch else np.zeros(1, bool)
            known_values = batch["images"][:, r].swapaxes(0, 1) if known.any() else None
            if known.all():
                states, values, nats = self._known_row(weights, row_maps, states, known_values)
            else:
                partly = (known_values, known) if known.any() else ()
                states, values, nats = self._sample_row(weights, row_maps, states, noise[r], options, *partly)
            rows.append(ops.convert_to_numpy(values))
            log_likelihood = log_likelihood + ops.convert_to_numpy(nats)
            row_done()
        return np.stack(rows).transpose(2, 0, 1, 3), log_likelihood


def _unsigned(values, levels):
    """Values as the dtype of images: uint8, or int32 for more than 256 levels."""
    return values.astype("uint8" if levels <= 256 else "int32")
