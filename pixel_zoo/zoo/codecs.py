"""The encoder and decoder that belong to a pretrained prior over codes."""

import dataclasses
import functools
import pathlib

from pixel_zoo.pictures.codec import Codec
from pixel_zoo.zoo.index import PARTS, read_index
from pixel_zoo.zoo.pretrained import load
from pixel_zoo.zoo.whole import is_whole

BATCH_SIZE = 256


def codec_of(name, model):
    """The `Codec` of a model: with encoder and decoder for a pretrained prior over codes.

    Args:
        name: of a pretrained model, or the path of a .keras file, which may be that of a pretrained model.
        model: the model.

    Example:

    >>> codec_of("digits_gated", pz.load("digits_gated")).of_codes
    False
    """
    parts = parts_of(name)
    return codec_with(model, **parts) if parts else Codec(model)


def parts_of(name):
    """The encoder and decoder of a pretrained prior over codes, a dictionary of Keras models; {} for any other model.

    Args:
        name: as of `codec_of`.

    Example:

    >>> list(parts_of("mnist_vq")), parts_of("digits_gated")
    (['encoder', 'decoder'], {})
    """
    prior = prior_over_codes(name)
    return {} if prior is None else {part: load(f"{prior}.{part}") for part in PARTS}


def codec_with(model, encoder, decoder):
    """The `Codec` of a prior over codes, whose encoder and decoder are Keras models."""
    encode, decode = (functools.partial(part.predict, batch_size=BATCH_SIZE, verbose=0) for part in (encoder, decoder))
    return Codec(model, encode, decode, decoder.output_shape[1:])


def codec_of_client(name, client):
    """The `Codec` of a served model: with encoder and decoder, if it was exported with them.

    Args:
        name: str, the name that the model is served by.
        client: `pixel_zoo.serving.Client`.

    Raises:
        ValueError: the name is that of a pretrained prior over codes, which is served without its decoder; or the
            decoder does not return pictures, integers (n, height, width, 1 or 3).
    """
    shape = client.picture_shape
    if shape is None:
        if prior_over_codes(name):
            raise ValueError(
                f"model: {name!r} is served without its decoder, so pictures would show codes; export it again "
                f"(pixel-zoo export {name} PATH), or name a .npz file, which holds codes"
            )
        return Codec(client)
    rows, columns, _ = client.image_shape
    if len(shape) != 3 or shape[0] % rows or shape[1] % columns or shape[2] not in (1, 3):
        raise ValueError(f"model: the decoder of {name!r} returns arrays of shape {shape}, which cannot be shown")
    return Codec(client, client.encode, client.decode, shape)


def prior_over_codes(name):
    """The name of the pretrained prior over codes that a name, or the path of a .keras file, stands for; else None.

    Example:

    >>> prior_over_codes("mnist_vq"), prior_over_codes(pz.path("mnist_vq")), prior_over_codes("digits_gated")
    ('mnist_vq', 'mnist_vq', None)
    """
    path = pathlib.Path(name)
    for prior, entry in read_index().items():
        if "parts" not in entry:
            continue
        same_size = path.is_file() and path.stat().st_size == entry["bytes"]  # a look, before the file is read
        if prior == str(name) or (same_size and is_whole(path, entry["sha256"])):
            return prior
    return None


def encoded(data_set, model, codec):
    """A data set as a model takes it: if it has the pictures of a prior over codes, they are encoded.

    Example:

    >>> model = pz.load("mnist_vq")
    >>> codec = codec_of("mnist_vq", model)
    >>> encoded(pz.data.info("mnist"), model, codec).image_shape
    (7, 7, 1)
    """
    if not codec.encodes(data_set.image_shape, data_set.levels):
        return data_set
    changed = {"image_shape": tuple(model.image_shape), "levels": model.levels}
    codes = dataclasses.replace(data_set, **changed)
    return dataclasses.replace(
        codes,
        description=f"{data_set.description} Encoded: all figures are those of the codes, not of the pictures.",
        read=lambda split: codec.encode(data_set.read(split)).astype(codes.dtype),
    )
