"""A run of `pixel-zoo score`: what it has computed lies beside its output, until the table is whole."""

import concurrent.futures
import contextlib
import json
import math
import shutil

ROWS = 65_536  # of the table, at a time


def part_of(shard):
    """(k, n) of the text "k/n": the k-th of n parts, counted from 1; (1, 1) for None.

    Example:

    >>> part_of("2/4")
    (2, 4)
    """
    try:
        part, parts = (1, 1) if shard is None else map(int, shard.split("/"))
    except ValueError:
        part, parts = 0, 0
    if not 1 <= part <= parts:
        raise ValueError(f"shard must be K/N, the K-th of N parts, such as 1/4, got {shard!r}")
    return part, parts


class ScoreRun:
    """Scores of the images of a source, or of a part of it, in whole batches, so that parts do not change a score.

    Args:
        model: a model of `pixel_zoo.models`.
        source: `Source`.
        batch_size: int.
        part: (k, n), as of `part_of`. The parts are contiguous.
        background: a model of the same images, or None.
        complexity: bool, whether to measure the images as PNG files.
    """

    def __init__(self, model, source, batch_size, part=(1, 1), background=None, complexity=False):
        from pixel_zoo.checks import positive_integer

        self.model, self.source = model, source
        self.batch_size = positive_integer("batch_size", batch_size)
        self.part, self.background, self.complexity = part, background, complexity
        if background is not None:
            _check_background(background, model)
        if complexity:
            _check_complexity(model)
        batches = math.ceil(source.count / self.batch_size)
        index, parts = part
        self.first, last = (k * batches // parts * self.batch_size for k in (index - 1, index))
        self.last = min(last, source.count)
        if self.first >= self.last:
            raise ValueError(
                f"shard: part {index} of {parts} has no images: there are {batches} batches of up to {self.batch_size}"
            )
        self.models = {"nats": model} | ({} if background is None else {"background": background})
        self.labels = {name: _labels_for(one, source) for name, one in self.models.items()}

    @property
    def measured(self):
        """The names of the numbers that are computed for each image."""
        return [*self.models, *(["png_bits"] if self.complexity else [])]

    @contextlib.contextmanager
    def partial(self, output, models, resume):
        """Yield the file of the scores computed so far; no other process writes it.

        Args:
            output: pathlib.Path of the table.
            models: dictionary of JSON values that tell the models from others.
            resume: bool, whether the scores of an interrupted run may be there.

        Raises:
            FileExistsError: they are, and `resume` is False.
            ValueError: they are of another run.
            BlockingIOError: another process computes them.
        """
        import keras

        from pixel_zoo.files import replacing, sole_writer, writable_directory

        directory = _partial_directory(output)
        description, scores = directory / "run.json", directory / "scores.bin"
        begun = scores.exists() and scores.stat().st_size > 0
        if begun and not resume:
            raise FileExistsError(
                f"output: {str(directory)!r} is of an interrupted run; continue it with --resume, or delete it"
            )
        identity = {
            **models,
            **self.source.identity,
            "columns": self.measured,
            "batch size": self.batch_size,
            "shard": "/".join(map(str, self.part)),
            "backend": keras.backend.backend(),
        }
        writable_directory(directory)
        with sole_writer(directory):
            if begun:
                _check_same(directory, json.loads(description.read_text()), identity)
            with replacing(description) as temporary:
                temporary.write_text(json.dumps(identity))
            yield scores

    def score(self, partial):
        """Compute what is missing, and append it to a file of float32 numbers, a row of `measured` for each image."""
        import numpy as np

        from pixel_zoo.progress import progress_bar

        whole = 4 * len(self.measured) * self.batch_size  # bytes of a batch
        with open(partial, "ab") as file:
            done = file.tell() // whole
            file.truncate(done * whole)
            starts = range(self.first + done * self.batch_size, self.last, self.batch_size)
            with progress_bar("Scoring", len(starts), wanted=None) as one_more:
                for start, images in zip(starts, self._batches(starts), strict=True):
                    file.write(np.stack(self._measure(start, images), axis=1).astype("<f4").tobytes())
                    file.flush()
                    one_more()

    def rows(self, partial):
        """Yield the table, `ROWS` rows at a time: a dictionary from the name of a column to an array."""
        import numpy as np

        from pixel_zoo.anomaly import complexity_corrected, likelihood_ratio
        from pixel_zoo.likelihoods import bits_per_dim

        numbers = np.memmap(partial, "<f4", "r").reshape(-1, len(self.measured))
        for start in range(self.first, self.last, ROWS):
            chosen = slice(start, min(start + ROWS, self.last))
            measured = dict(zip(self.measured, numbers[start - self.first : chosen.stop - self.first].T, strict=True))
            nats = measured["nats"]
            if self.source.files is None:
                columns = {"index": np.arange(chosen.start, chosen.stop)}
            else:
                columns = {"file": self.source.files[chosen]}
            if self.source.labels is not None:
                columns["label"] = np.asarray(self.source.labels[chosen], "int64")
            columns |= {"nats": nats, "bits_per_dim": bits_per_dim(nats.astype("float64"), self.model.image_shape)}
            if self.background is not None:
                columns["likelihood_ratio"] = likelihood_ratio(nats, measured["background"])
            if self.complexity:
                columns["complexity_corrected"] = complexity_corrected(nats, measured["png_bits"])
            yield {
                name: column.astype("float32") if getattr(column, "dtype", None) == "float64" else column
                for name, column in columns.items()
            }

    def clear(self, output):
        """Remove the scores that `partial` has kept, once they are in the table."""
        shutil.rmtree(_partial_directory(output), ignore_errors=True)

    def _batches(self, starts):
        """Yield the images of each batch, read while the one before is scored."""
        with concurrent.futures.ThreadPoolExecutor(1) as reader:
            pending = None
            for start in starts:
                images = self._read(start) if pending is None else pending.result()
                following = start + self.batch_size
                pending = reader.submit(self._read, following) if following < self.last else None
                yield images

    def _read(self, start):
        return self.source.read(start, min(start + self.batch_size, self.last))

    def _measure(self, start, images):
        """A list of arrays (n,), one for each of `measured`."""
        from pixel_zoo.anomaly import png_bits

        measured = [self._nats(name, start, images) for name in self.models]
        return [*measured, png_bits(images)] if self.complexity else measured

    def _nats(self, name, start, images):
        import numpy as np

        labels = self.labels[name]
        labels = None if labels is None else labels[start : start + len(images)]
        nats = -self.models[name].log_likelihood(images, labels, batch_size=self.batch_size)
        if np.isnan(nats).any():
            index = start + int(np.flatnonzero(np.isnan(nats))[0])
            image = f"image {index:,}" if self.source.files is None else repr(self.source.files[index])
            raise ValueError(
                f"model: the log-likelihood of {image} is NaN; the training diverged, or the file is damaged"
            )
        return nats


def _check_background(background, model):
    shape, levels = tuple(model.image_shape), model.levels
    if (tuple(background.image_shape), background.levels) != (shape, levels):
        raise ValueError(
            f"background: takes images of shape {tuple(background.image_shape)} and {background.levels} levels, the "
            f"model {shape} and {levels}"
        )


def _check_complexity(model):
    colours = model.image_shape[-1]
    if colours not in (1, 3) or model.levels > 256:
        raise ValueError(
            "complexity: PNG files hold 1 or 3 colours and up to 256 levels, the model has "
            f"{colours} and {model.levels}"
        )


def _labels_for(model, source):
    """The label of each image, an array, for a model that takes labels; None for one that takes none."""
    from pixel_zoo.inputs import check_conditions

    labels = None if model.num_classes is None else source.labels
    return check_conditions(model, source.count, labels).get("label")


def _partial_directory(output):
    return output.with_name(f"{output.name}.partial")


def _check_same(directory, begun, identity):
    """Raise unless a run continues the one that was begun."""
    begun, identity = (json.loads(json.dumps(one)) for one in (begun, identity))
    for key in {**begun, **identity}:
        if begun.get(key) != identity.get(key):
            raise ValueError(
                f"resume: {str(directory)!r} holds scores of another run: its {key} is {begun.get(key)}, not "
                f"{identity.get(key)}; name another output, or delete it"
            )
