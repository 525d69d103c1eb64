"""Sequential Monte Carlo along the rows of a walk: particles that are weighted by what is known, and resampled."""

import math

import keras
import numpy as np
from keras import ops

from pixel_zoo import backend
from pixel_zoo.sampler import inverse_cdf
from pixel_zoo.sampling.resampling import effective_sample_size, normalise, systematic
from pixel_zoo.sampling.walker import from_rows, to_rows

# Streams of the noise of an image's own seed. Those below are the stages', for the values.
RESAMPLING, CHOICE, SWEEPS = 2**20, 2**21, 2**22
THRESHOLD = 0.5  # particles are resampled below this share of effective ones


class ParticleWalker:
    """Runs the rows of a walker for several particles of each image.

    A particle is one way to fill in an image. The particles of an image stand next to each other in the batch. Between
    rows they are a dictionary:

        states: of the walker, for the row below.
        source: int32 tensor (batch * particles,), which entry of the conditioning a particle is given.
        log_weights: float32 tensor (batch, particles), normalised.
        log_evidence: float32 tensor (batch,), the estimate of log p(known values so far).
        smallest_share: float32 tensor (batch,), the smallest effective sample size so far, divided by the particles.
        log_likelihood: float32 tensor (batch * particles,), log p of a particle so far under the model itself.

    Args:
        walker: `Walker`.
    """

    def __init__(self, walker):
        self.walker = walker

    def __call__(self, seeds, count, options, images, known, conditioning=(), stream=0, before=None):
        """All rows of a stage in one graph, as a server needs it.

        Args:
            seeds: two uint32 tensors (batch,), see `pixel_zoo.backend.seed_words`.
            count: int, particles of each image.
            options: options of sampling of each image, tensors (batch,).
            images, known: int32 and bool tensors (batch, height, width, colours).
            conditioning: the model's other inputs, in their order: for each image, or, after another stage, for each
                particle.
            stream: int, the index of the stage.
            before: the particles after the stage before, or None.

        Returns:
            (images, particles): int32 tensor (batch * count, height, width, colours); dictionary without the states.
        """
        batch, image_shape = ops.shape(images)[0], self.walker.graph.image_shape
        weights, states, maps = self.walker.start(batch if before is None else batch * count, conditioning)
        if before is None:
            particles = multiplied(first_particles(states, batch), count)
        else:
            particles = before | entering(states, batch * count)
        uniform = backend.uniform_noise(seeds, (image_shape[0], 1, 1), RESAMPLING + stream)[..., 0, 0]
        noise = backend.uniform_noise(backend.particle_seeds(seeds, count), image_shape, stream)
        rows = {"noise": to_rows(noise), "uniform": ops.transpose(uniform), "maps": maps}
        rows |= {"values": to_rows(images), "known": to_rows(known)}
        stay = ops.arange(batch * count, dtype="int32")

        def known_row(particles, row):
            return *self.known_row(weights, row["maps"], particles, options, row["values"]), stay

        def sample_row(particles, row):
            given = (row[name] for name in ("noise", "uniform"))
            return self.sample_row(weights, row["maps"], particles, *given, options, row["values"], row["known"])

        def any_row(particles, row):
            particles, *drawn = ops.cond(
                ops.all(row["known"]), lambda: known_row(particles, row), lambda: sample_row(particles, row)
            )
            return particles, drawn

        def back(index, row):
            values, ancestors = row
            return ops.take(ancestors, index), ops.take(values, index, axis=1)

        particles, drawn = backend.scan(any_row, particles, rows)
        _, traced = backend.scan(back, stay, drawn, reverse=True)
        return from_rows(traced), {name: value for name, value in particles.items() if name != "states"}

    def sample_row(self, weights, maps, particles, noise, uniform, options, known_values, known):
        """Resample the particles of images where that is due, then draw a row and weight it by what is known of it.

        An image's particles are resampled if it draws something in this row, and their effective sample size is below
        half of their number. Where nothing is drawn any more, resampling would only lose particles.

        Args:
            weights, maps: as of `Walker.sample_row`, the maps for all entries of the conditioning.
            particles: dictionary, see above.
            noise: float32 tensor (width, batch * particles, colours).
            uniform: float32 tensor (batch,) of numbers above 0 and below 1.
            options: options of sampling of each image, tensors (batch,).
            known_values, known: int32 and bool tensors (width, batch, colours).

        Returns:
            (particles, values, ancestors): for the row below; int32 tensor (width, batch * particles, colours); int32
            tensor (batch * particles,), the particle of the row above that each one goes on from.
        """
        draws = ops.logical_not(ops.all(known, axis=(0, 2)))
        particles, ancestors = _resampled(particles, uniform, draws)
        known = _for_each(known, particles)
        particles, values = self._row(weights, maps, particles, noise, options, known_values, known, known)
        return particles, values, ancestors

    def known_row(self, weights, maps, particles, options, known_values):
        """A row that is known in full: (particles, values), as of `sample_row`. Nothing is resampled."""
        known_values = _for_each(known_values, particles)
        states, values, nats = self.walker.known_row(
            weights,
            _maps_of(particles, maps),
            particles["states"],
            known_values,
            _options_for_each(options, particles),
            weighed=ops.ones(ops.shape(known_values), "bool"),
        )
        return _weighted(particles | {"states": states}, nats), values

    def try_row(self, weights, maps, particles, noise, options, present, known):
        """Draw a row again, but for each image's first particle, which keeps its present values.

        The other particles draw what is not known. All are weighted by what is known.

        Args:
            weights, maps, particles, noise, options, known: as of `sample_row`.
            present: int32 tensor (width, batch, colours).

        Returns:
            (particles, values), as of `sample_row`.
        """
        known, count = _for_each(known, particles), particles["log_weights"].shape[1]
        is_first = ops.equal(ops.arange(ops.shape(known)[1]) % count, 0)
        given = ops.logical_or(known, ops.expand_dims(is_first, -1))
        return self._row(weights, maps, particles, noise, options, present, given, known)

    def _row(self, weights, maps, particles, noise, options, values, given, weighed):
        states, values, nats = self.walker.sample_row(
            weights,
            _maps_of(particles, maps),
            particles["states"],
            noise,
            _options_for_each(options, particles),
            _for_each(values, particles),
            given,
            weighed,
        )
        return _weighted(particles | {"states": states}, nats), values


def first_particles(states, batch):
    """One particle for each image, before the first row: see `ParticleWalker`."""
    return entering(states, batch) | {
        "log_weights": ops.zeros((batch, 1)),
        "log_evidence": ops.zeros((batch,)),
        "smallest_share": ops.ones((batch,)),
    }


def entering(states, count):
    """What `count` particles have of their own when they enter a stage, besides the weights that they bring along."""
    return {
        "states": states,
        "source": ops.arange(count, dtype="int32"),
        "log_likelihood": ops.zeros((count,)),
    }


def multiplied(particles, count):
    """`count` equal particles for each of an image's one."""
    return particles | {
        "states": keras.tree.map_structure(lambda state: _repeated(state, count), particles["states"]),
        "source": ops.repeat(particles["source"], count),
        "log_weights": particles["log_weights"] - math.log(count) + ops.zeros((1, count)),
        "log_likelihood": ops.repeat(particles["log_likelihood"], count),
    }


def selected(particles, chosen):
    """One particle for each image: those of the indices `chosen`, int32 tensor (batch,), counted over all images."""
    return _taken(particles, chosen) | {"log_weights": ops.zeros_like(particles["log_weights"][:, :1])}


def choose(log_weights, uniform):
    """Choose one particle for each image in proportion to its weight.

    Args:
        log_weights: float32 tensor (batch, particles).
        uniform: float32 tensor (batch,) of numbers above 0 and below 1.

    Returns:
        int32 tensor (batch,), indices counted over all images.
    """
    batch, count = ops.shape(log_weights)
    first = ops.arange(batch, dtype="int32") * count
    return first if count == 1 else first + inverse_cdf(log_weights, uniform)


def evidence_is_late(known_of_stages):
    """Whether a known value of an image comes after an unknown one: only then do particles differ in weight.

    Args:
        known_of_stages: list of bool tensors (batch, height, width, colours), in the order in which they are drawn.

    Returns:
        bool tensor (batch,).

    Example:
    >>> known = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool).reshape(2, 2, 2, 1)
    >>> [bool(late) for late in evidence_is_late([known])]
    [False, True]
    """
    flat = [ops.reshape(known, (-1, int(np.prod(known.shape[1:])))) for known in known_of_stages]
    known = ops.cast(ops.concatenate(flat, axis=1), "int32")
    return ops.any(known[:, 1:] > known[:, :-1], axis=1)


def _resampled(particles, uniform, draws):
    """The particles of images that draw a row, resampled where too few of them have weight: (particles, ancestors)."""
    log_weights = particles["log_weights"]
    batch, count = ops.shape(log_weights)
    due = ops.logical_and(draws, effective_sample_size(log_weights) < THRESHOLD * count)
    stay = ops.arange(batch * count, dtype="int32")
    ancestors = ops.where(ops.repeat(due, count), systematic(log_weights, uniform), stay)
    log_weights = ops.where(ops.expand_dims(due, -1), -math.log(count), log_weights)
    return _taken(particles, ancestors) | {"log_weights": log_weights}, ancestors


def _taken(particles, index):
    states = keras.tree.map_structure(lambda state: ops.take(state, index, axis=1), particles["states"])
    others = {name: ops.take(particles[name], index) for name in ("source", "log_likelihood")}
    return particles | others | {"states": states}


def _weighted(particles, nats):
    """The particles after a row, from its log-probabilities (2, batch * particles), as of `Walker.sample_row`."""
    count = particles["log_weights"].shape[1]
    log_weights, increment = normalise(particles["log_weights"] + ops.reshape(nats[1], (-1, count)))
    return particles | {
        "log_weights": log_weights,
        "log_evidence": particles["log_evidence"] + increment,
        "smallest_share": ops.minimum(particles["smallest_share"], effective_sample_size(log_weights) / count),
        "log_likelihood": particles["log_likelihood"] + nats[0],
    }


def _for_each(x, particles):
    """Rows (width, batch, ...) of images for each of their particles."""
    return _repeated(x, particles["log_weights"].shape[1])


def _repeated(x, count):
    """Each image of rows (width, batch, ...) so many times; `ops.repeat` would lose the static shape in a graph."""
    tiled = ops.tile(ops.expand_dims(x, 2), [1, 1, count, *[1] * len(x.shape[2:])])
    return ops.reshape(tiled, (x.shape[0], -1, *x.shape[2:]))


def _options_for_each(options, particles):
    count = particles["log_weights"].shape[1]
    return {name: ops.repeat(x, count) if len(x.shape) else x for name, x in options.items()}


def _maps_of(particles, maps):
    """The row of the conditioning maps that each particle is given."""
    return keras.tree.map_structure(lambda row: ops.take(row, particles["source"], axis=1), maps)
