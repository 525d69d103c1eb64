"""Completion given all known pixels: sequential Monte Carlo, and sweeps that draw blocks of rows again."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.checks import positive_integer
from pixel_zoo.inputs import condition_values, stages_of
from pixel_zoo.progress import progress_bar
from pixel_zoo.sampler import Sampler
from pixel_zoo.sampling.drawing import Drawing, WalkOfRows, compiled_walk
from pixel_zoo.sampling.particle_walker import (
    CHOICE,
    RESAMPLING,
    SWEEPS,
    ParticleWalker,
    choose,
    entering,
    evidence_is_late,
    multiplied,
    selected,
)
from pixel_zoo.sampling.walker import to_rows
from pixel_zoo.stages import subsample

# Bytes that a particle needs: for each byte of a walker's states, and for each value of an image.
STATES, VALUES = 3, 12
BLOCK_ROWS = 2  # rows that a sweep draws again at a time; other heights were not tried


@dataclasses.dataclass(frozen=True)
class Diagnostics:
    """How completions with particles went: what `complete` returns with `return_diagnostics`.

    Attributes:
        effective_sample_size: float32 NumPy array (batch,), from 1 to the number of particles: 1 / the sum of the
            squared weights of an image's particles, the smallest while it was drawn. Near 1, hardly any particle fits
            what is known: use more particles, and sweeps.
        log_evidence: float32 NumPy array (batch,), the estimate of log p(known pixels) in nats. Its exponential is
            unbiased; the estimate itself is too low on average, the more so the smaller the effective sample size.
        num_distinct: int64 NumPy array (batch,), how many different completions the particles of an image ended as.
    """

    effective_sample_size: np.ndarray
    log_evidence: np.ndarray
    num_distinct: np.ndarray


class Population(NamedTuple):
    """The particles of a batch of images after a stage of a model, those of an image next to each other.

    Attributes:
        images: int32 array (batch * particles, height, width, colours) that the stage drew; None before the first one.
        conditions: dictionary from the name of an input of the stage to an array (batch * particles, ...).
        nats_before: float32 array (batch * particles,), log-likelihood of the images of the stages before.
        nats: float32 array (batch * particles,), log-likelihood of `images`.
        log_weights: float32 array (batch, particles), normalised.
        log_evidence, smallest_share: float32 arrays (batch,), as of `ParticleWalker`.
    """

    images: np.ndarray | None
    conditions: dict[str, np.ndarray]
    nats_before: np.ndarray
    nats: np.ndarray
    log_weights: np.ndarray
    log_evidence: np.ndarray
    smallest_share: np.ndarray

    @classmethod
    def first(cls, count: int, conditions: dict[str, np.ndarray]) -> "Population":
        """One particle for each of `count` images, before the first stage."""
        zeros, ones = np.zeros(count, "float32"), np.ones(count, "float32")
        return cls(None, conditions, zeros, zeros, zeros[:, None], zeros, ones)

    @property
    def particles(self) -> int:
        """How many there are of an image."""
        return self.log_weights.shape[1]


class Batch(NamedTuple):
    """Images that are completed at the same time.

    Attributes:
        places: int array (batch,), which of all images they are.
        seeds: int64 array (batch,).
        images, known: int32 and bool arrays (batch, height, width, colours).
        particles: int, how many for each image.
        sampler: `Sampler`.
    """

    places: np.ndarray
    seeds: np.ndarray
    images: np.ndarray
    known: np.ndarray
    particles: int
    sampler: Sampler

    def row(self, x: np.ndarray, r: int) -> np.ndarray:
        """Row r of an array (batch, height, width, colours), as (width, batch, colours)."""
        return x[:, r].swapaxes(0, 1)

    def at_scale(self, image_shape: Sequence[int]) -> "Batch":
        """The batch of a stage, whose images are of another shape."""
        return self._replace(images=subsample(self.images, image_shape), known=subsample(self.known, image_shape))


def check_particles(particles: int, sweeps: int, sampler: Sampler) -> None:
    """Raise a ValueError unless these numbers of particles and sweeps can be used with this sampler."""
    positive_integer("particles", particles)
    if isinstance(sweeps, bool) or not isinstance(sweeps, int) or sweeps < 0:
        raise ValueError(f"sweeps must be an integer of at least 0, got {sweeps!r}")
    if particles == 1 and sweeps:
        raise ValueError(f"particles must be at least 2 with sweeps, got particles=1 and sweeps={sweeps}")
    if particles > 1 and sampler.temperature == 0:
        raise ValueError("temperature must be above 0 with particles, got 0: all particles would be the same")


def draw_with_particles(
    model: keras.Model,
    drawing: Drawing,
    seeds: np.ndarray,
    conditions: dict[str, np.ndarray],
    images: np.ndarray,
    known: np.ndarray,
    particles: int,
    sweeps: int = 0,
) -> tuple[np.ndarray, np.ndarray, Diagnostics]:
    """Complete images given all known values, from arguments that have been checked.

    Args:
        model: functional model of raster layers, or a multi-scale model.
        drawing: `Drawing`; its `batch_size` counts images times particles.
        seeds, conditions, images, known: as of `Drawing`.
        particles, sweeps: as of `pixel_zoo.sampling.complete`.

    Returns:
        (images, log_likelihood, diagnostics): uint8 or int32 array (count, height, width, colours); float32 array
        (count,) of nats, the sum over the images that the stages drew; `Diagnostics`.
    """
    stages = stages_of(model)
    known = np.broadcast_to(known[..., None] if known.ndim == 3 else known, images.shape)
    xla = drawing.use_xla(len(images) * particles)
    walks = [compiled_walk(ParticleWalk, stage, type(drawing.sampler), xla) for stage in stages]
    late = ops.convert_to_numpy(evidence_is_late([subsample(known, walk.image_shape) for walk in walks]))
    # Where no evidence is late, all particles would have the same weight: one is as good as many.
    batches = _batches(np.flatnonzero(~late), 1, 0, drawing.batch_size)
    batches += _batches(np.flatnonzero(late), particles, sweeps, drawing.batch_size)
    heights = [walk.image_shape[0] for walk in walks]
    rows = sum(sum(heights) + of_sweeps * heights[-1] for *_, of_sweeps in batches)
    results: dict[str, np.ndarray] = {}
    with progress_bar("Sampling rows", rows, drawing.progress) as row_done:
        for index, count, of_sweeps in batches:
            of_images = seeds[index], images[index].astype("int32"), known[index]
            batch = Batch(index, *of_images, count, drawing.sampler)
            of_batch = {name: value[index] for name, value in conditions.items()}
            for name, values in _complete(stages, walks, batch, of_batch, of_sweeps, row_done).items():
                results.setdefault(name, np.zeros((len(images), *values.shape[1:]), values.dtype))[index] = values
    results["effective_sample_size"][~late] = particles  # one stands for as many as there would have been
    completed, nats = results.pop("images"), results.pop("log_likelihood")
    return completed.astype("uint8" if walks[-1].levels <= 256 else "int32"), nats, Diagnostics(**results)


def _batches(index, particles, sweeps, batch_size):
    """Split images into batches of one size, so that few sizes are compiled: the last is filled up with repeats."""
    size = min(max(1, batch_size // particles), len(index))
    firsts = range(0, len(index), size) if size else ()
    return [(index[np.arange(first, first + size) % len(index)], particles, sweeps) for first in firsts]


def _complete(stages, walks, batch, conditions, sweeps, row_done):
    """The completions of a batch, and what is known of them: dictionary of arrays with an entry for each image."""
    population = draw_population(stages, walks, batch, conditions, row_done)
    chosen = ops.convert_to_numpy(choose(population.log_weights, _uniform(batch.seeds, 1, CHOICE)[:, 0]))
    images, nats = population.images[chosen], population.nats[chosen]
    of_chosen = {name: value[chosen] for name, value in population.conditions.items()}
    for number in range(sweeps):
        of_stage, stream = batch.at_scale(walks[-1].image_shape), len(stages) - 1
        conditioning = condition_values(stages[-1], of_chosen)
        images, nats = walks[-1].sweep(of_stage, conditioning, stream, number, images, row_done)
    return {
        "images": images,
        "log_likelihood": population.nats_before[chosen] + nats,
        "effective_sample_size": population.smallest_share * population.particles,
        "log_evidence": population.log_evidence,
        "num_distinct": _num_distinct(population),
    }


def draw_population(
    stages: Sequence[keras.Model],
    walks: Sequence["ParticleWalk"],
    batch: Batch,
    conditions: dict[str, np.ndarray],
    row_done: Callable[[], None] = lambda: None,
) -> Population:
    """The weighted particles of a batch of images: sequential Monte Carlo over the rows of all stages."""
    population = Population.first(len(batch.places), conditions)
    for stream, (stage, walk) in enumerate(zip(stages, walks, strict=True)):
        population = walk.draw(stage, batch.at_scale(walk.image_shape), stream, population, row_done)
    return population


class ParticleWalk(WalkOfRows):
    """The rows of a `ParticleWalker`, compiled, from NumPy to NumPy."""

    def __init__(self, walker, variables, xla):
        super().__init__(walker, variables, xla)
        self.sampler_class = walker.sampler_class
        particle_walker = ParticleWalker(walker)

        def compiled(row):
            def run(weights, maps, *args):
                return row(self.unpack(weights), self.packed_maps.unpack(maps), *args)

            return backend.compiled(run, [], xla=xla)

        self._particles_row = compiled(particle_walker.sample_row)
        self._known_particles_row = compiled(particle_walker.known_row)
        self._try_row = compiled(particle_walker.try_row)

    def draw(
        self, stage: keras.Model, batch: Batch, stream: int, before: Population, row_done: Callable[[], None]
    ) -> Population:
        """Go on with the particles of the stage before: draw an image of this stage for each.

        Args:
            stage: the walk's model.
            batch: `Batch` at the scale of this stage.
            stream: int, the index of the stage.
            before: `Population` of the stage before. While it holds one particle for each image, known rows are
                computed once for all particles; they are multiplied before the first row that draws something.
            row_done: function to call after each row.
        """
        conditions = before.conditions if before.images is None else before.conditions | {"small": before.images}
        weights, maps, particles, noise = self._start(batch, condition_values(stage, conditions), stream, before)
        uniform = _uniform(batch.seeds, self.image_shape[0], RESAMPLING + stream)
        options = batch.sampler.options(len(batch.places))
        rows: list[np.ndarray] = []
        ancestors: list[np.ndarray | None] = []
        for r in range(self.image_shape[0]):
            row_maps, values, known = _row_of(maps, r), batch.row(batch.images, r), batch.row(batch.known, r)
            if known.all():
                particles, drawn = self._known_particles_row(weights, row_maps, particles, options, values)
                ancestors.append(None)
            else:
                if particles["log_weights"].shape[1] < batch.particles:
                    self._check_memory(particles["states"], batch)
                    particles, noise = multiplied(particles, batch.particles), self._noise(batch, stream)
                particles, drawn, from_ = self._particles_row(
                    weights, row_maps, particles, noise[r], uniform[:, r], options, values, known
                )
                ancestors.append(ops.convert_to_numpy(from_))
            rows.append(ops.convert_to_numpy(drawn))
            _check_possible(ops.convert_to_numpy(particles["log_evidence"]), batch, r)
            row_done()
        after = {name: ops.convert_to_numpy(value) for name, value in particles.items() if name != "states"}
        source = after.pop("source")
        return Population(
            images=_traced(rows, ancestors),
            conditions={name: value[source] for name, value in conditions.items()},
            nats_before=(before.nats_before + before.nats)[source],
            nats=after.pop("log_likelihood"),
            **after,
        )

    def sweep(
        self,
        batch: Batch,
        conditioning: Sequence[np.ndarray],
        stream: int,
        number: int,
        images: np.ndarray,
        row_done: Callable[[], None],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw the unknown values of one block of rows after the other again, from their distribution given the rest.

        Of each block there are as many tries as particles. One of them is what the image holds now; the model draws the
        others, given what comes before. One try is chosen in proportion to the probability of all that the model did
        not draw: iterated sampling importance resampling (Andrieu, Lee and Vihola 2018), which leaves
        p(unknown | all known) unchanged.

        Args:
            batch, stream, row_done: as of `draw`.
            conditioning: list of arrays with an entry for each image.
            number: int, which sweep this is. Blocks of every other sweep begin half a block later.
            images: int32 array (batch, height, width, colours), completions.

        Returns:
            (images, log_likelihood): new completions, and their nats, float32 array (batch,).
        """
        height, options = self.image_shape[0], batch.sampler.options(len(batch.places))
        weights, maps, particles, _ = self._start(batch, conditioning, stream, Population.first(len(batch.places), {}))
        noise = self._noise(batch, stream, number + 1)
        uniform = _uniform(batch.seeds, height, SWEEPS + number)
        present = images.copy()

        def known_row(particles, r):
            row = batch.row(present, r)
            return self._known_particles_row(weights, _row_of(maps, r), particles, options, row)[0]

        for block in _blocks(height, number):
            if batch.known[:, block].all():
                for r in block:
                    particles = known_row(particles, r)
                    row_done()
                continue
            tries = multiplied(particles, batch.particles)
            drawn: list[np.ndarray] = []
            for r in block:
                rows = batch.row(present, r), batch.row(batch.known, r)
                tries, values = self._try_row(weights, _row_of(maps, r), tries, noise[r], options, *rows)
                drawn.append(ops.convert_to_numpy(values))
                row_done()
            after_block = tries
            for r in range(block.stop, height):
                tries = known_row(tries, r)
            chosen = choose(tries["log_weights"], uniform[:, block.start])
            particles = selected(after_block, chosen)
            present[:, block] = np.stack(drawn)[:, :, ops.convert_to_numpy(chosen)].transpose(2, 0, 1, 3)
        return present, ops.convert_to_numpy(particles["log_likelihood"])

    def _start(self, batch, conditioning, stream, before):
        """(weights, maps, particles, noise) before the first row."""
        words = backend.seed_words(batch.seeds)
        if before.particles > 1:
            words = backend.particle_seeds(words, before.particles)
        noise, weights, maps, states = self.start(*words, np.uint32(stream), conditioning)
        brought = {name: getattr(before, name) for name in ("log_weights", "log_evidence", "smallest_share")}
        return weights, maps, brought | entering(states, len(before.nats)), noise

    def _noise(self, batch, stream, set_of_particles=0):
        """The noise of all particles of a batch, as rows; of an image's own seed."""
        words = backend.particle_seeds(backend.seed_words(batch.seeds), batch.particles, set_of_particles)
        return to_rows(backend.uniform_noise(words, self.image_shape, np.uint32(stream)))

    def _check_memory(self, states, batch):
        """Raise unless the particles of a batch fit into memory, as far as that is known."""
        count = len(batch.places)
        of_states = sum(math.prod(x.shape) * _item_size(x) for x in keras.tree.flatten(states))
        needed = batch.particles * (STATES * of_states + VALUES * count * math.prod(self.image_shape))
        free = backend.free_memory()
        if free is not None and needed > free:
            raise ValueError(
                f"particles={batch.particles:,} for {count} {'image' if count == 1 else 'images'} at a time need about "
                f"{needed / 1e9:.1f} GB of memory, but {free / 1e9:.1f} GB are free: use fewer particles"
            )


def as_asked(
    images: np.ndarray,
    log_likelihood: np.ndarray,
    diagnostics: Diagnostics,
    return_log_likelihood: bool,
    return_diagnostics: bool,
) -> np.ndarray | tuple:
    """The images alone, or a tuple of them and of what else is asked for."""
    asked = [(log_likelihood, return_log_likelihood), (diagnostics, return_diagnostics)]
    others = [value for value, is_asked in asked if is_asked]
    return (images, *others) if others else images


def _item_size(tensor):
    return np.dtype(keras.backend.standardize_dtype(tensor.dtype)).itemsize


def _row_of(maps, r):
    return {key: rows[r] for key, rows in maps.items()}


def _blocks(height, number):
    """The blocks of rows of a sweep, as slices; those of every other sweep begin half a block later."""
    first = BLOCK_ROWS - number % 2 * (BLOCK_ROWS // 2)
    ends = [*range(first, height, BLOCK_ROWS), height]
    return [range(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]


def _uniform(seeds, size, stream):
    """Uniform numbers of images' own seeds: float32 array (batch, size)."""
    noise = backend.uniform_noise(backend.seed_words(seeds), (size, 1, 1), np.uint32(stream))
    return ops.convert_to_numpy(noise)[:, :, 0, 0]


def _traced(rows, ancestors):
    """The images of particles, traced back from the last row to the first.

    Args:
        rows: list of arrays (width, batch * particles, colours), of the values that were drawn; (width, batch, colours)
            before there were several particles.
        ancestors: list of int arrays (batch * particles,), the particle of the row above that each went on from; None
            where none was resampled.
    """
    total = rows[-1].shape[1]
    index, traced = np.arange(total), []
    for row, from_ in zip(reversed(rows), reversed(ancestors), strict=True):
        traced.append(np.repeat(row, total // row.shape[1], axis=1)[:, index])
        index = index if from_ is None else from_[index]
    return np.stack(traced[::-1]).transpose(2, 0, 1, 3)


def _num_distinct(population):
    """How many different images are among the particles of each image that have any weight."""
    by_image = population.images.reshape(*population.log_weights.shape, -1)
    has_weight = np.isfinite(population.log_weights)
    return np.array([len(np.unique(one[own], axis=0)) for one, own in zip(by_image, has_weight, strict=True)])


def _check_possible(log_evidence, batch, r):
    """Raise if what is known of an image has probability 0 in all its particles."""
    impossible = batch.places[~np.isfinite(log_evidence)]
    if len(impossible):
        raise ValueError(
            f"images[{impossible[0]}]: its known pixels have probability 0 under {batch.sampler}, by row {r}, in all "
            f"{batch.particles} particles: leave out the rules, or use particles=1, which does not weigh known pixels"
        )
