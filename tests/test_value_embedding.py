"""Values that enter as vectors: `ValueEmbedding`, `embedding_dim` of the models, and Keras's own encodings."""

import keras
import numpy as np
import pytest
from catalogue import scrambled
from keras import layers, ops

import pixel_zoo as pz
from pixel_zoo.layers import ValueEmbedding

SHAPE, LEVELS = (2, 3), 3


def model_with(encode, colours=1):
    """A model with a vertical and a horizontal stack of which both read the encoded image."""
    image = keras.Input((*SHAPE, colours), dtype="int32", name="image")
    x = encode(image)
    above = pz.layers.VerticalConv2D(6, 3, "A")(x)
    x = pz.layers.MaskedConv2D(6, 3, "A", colours=colours)(x, bias=above)
    return pz.models.PixelModel(image, pz.layers.Logits(LEVELS, colours=colours)(layers.ReLU()(x)))


def check_samples_are_scored_alike(model):
    """Drawn, completed with a row that is known and runs in parallel, and scored: the same log-likelihood."""
    pz.check_causality(scrambled(model))
    images, nats = model.generate(3, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(images), rtol=1e-4, atol=1e-5)
    known = np.array([[True, True, True], [False, True, False]])
    images, nats = model.complete(images, known, seed=5, return_log_likelihood=True)
    np.testing.assert_allclose(nats, model.log_likelihood(images), rtol=1e-4, atol=1e-5)


def test_each_colour_looks_up_its_own_table():
    layer = ValueEmbedding(levels=4, embedding_dim=2, colours=3)
    x = np.random.default_rng(0).integers(0, 4, (2, 3, 2, 3)).astype("uint8")
    y = ops.convert_to_numpy(layer(x))
    table = ops.convert_to_numpy(layer.embeddings)
    assert table.shape == (3, 4, 2) and -1 <= table.min() < -0.5 and 0.5 < table.max() <= 1
    assert y.shape == (2, 3, 2, 6)
    for index in np.ndindex(y.shape):
        dim, colour = divmod(index[-1], 3)
        assert y[index] == table[colour, x[(*index[:-1], colour)], dim]


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((2, 4, 4, 3), "float32"), TypeError, "'values' takes integers 0..3, got dtype float32"),
        (np.zeros((2, 4, 4, 1), "int32"), ValueError, r"'values' takes values of shape \(..., colours=3\), got \(2, 4"),
    ],
)
def test_bad_values_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        ValueEmbedding(4, 2, colours=3, name="values")(x)


def flat(x):
    return ops.reshape(x, (-1, *SHAPE, int(np.prod(x.shape[3:]))))


ENCODINGS = {
    "ValueEmbedding": ValueEmbedding(LEVELS, 2),
    "Embedding of the image": lambda image: layers.Reshape((*SHAPE, 4))(layers.Embedding(LEVELS, 4)(image)),
    "Embedding of the only colour": lambda image: layers.Embedding(LEVELS, 4)(image[..., 0]),
    "Embedding, squeezed": lambda image: ops.squeeze(layers.Embedding(LEVELS, 4)(ops.cast(image, "int64")), 3),
    "one_hot": lambda image: flat(ops.one_hot(image, LEVELS)),
    "one_hot of the only colour": lambda image: ops.one_hot(image[:, :, :, 0], LEVELS) * 2.0 - 1.0,
    "CategoryEncoding": lambda image: layers.CategoryEncoding(LEVELS, output_mode="one_hot")(image),
}
ENCODINGS_OF_COLOURS = {
    "ValueEmbedding": ValueEmbedding(LEVELS, 2, colours=3),
    "Embedding": lambda image: flat(ops.swapaxes(layers.Embedding(LEVELS, 4)(image), -1, -2)),
    "one_hot": lambda image: flat(ops.transpose(ops.one_hot(image, LEVELS), (0, 1, 2, 4, 3))),
    "one_hot of the first colour": lambda image: ops.one_hot(image[..., 0], LEVELS),
    "CategoryEncoding": lambda image: layers.Reshape((*SHAPE, 9))(
        layers.Permute((1, 2, 4, 3))(layers.CategoryEncoding(LEVELS, output_mode="one_hot")(image))
    ),
}


@pytest.mark.parametrize("colours", [1, 3])
def test_encodings_of_the_image_are_sampled_as_they_are_scored(colours):
    """All in one model: they are independent, and each model has to be compiled."""
    encodings = ENCODINGS if colours == 1 else ENCODINGS_OF_COLOURS
    for encode in encodings.values():
        model_with(encode, colours)

    def all_of_them(image):
        numbers = layers.Rescaling(1.0)(image)
        return layers.Concatenate()([numbers, *(encode(image) for encode in encodings.values())])

    check_samples_are_scored_alike(model_with(all_of_them, colours))


REFUSED = {
    "colour after colour": (
        lambda image: flat(layers.Embedding(LEVELS, 4)(image)),
        r"makes feature 6 from colour 1, but feature 6 of a map belongs to colour 0 \(6 % 3\): use "
        r"pixel_zoo.layers.ValueEmbedding\(levels, embedding_dim, colours=3\)",
    ),
    "a later colour": (
        lambda image: layers.Embedding(LEVELS, 4, name="green")(image[..., 1]),
        "'green' makes feature 0 from colour 1, but feature 0 of a map belongs to colour 0",
    ),
    "another order": (
        lambda image: layers.Embedding(LEVELS, 4, name="mixed")(ops.flip(image, -1)[..., 2]),
        "mixes colours",
    ),
    "not a map": (
        lambda image: flat(layers.Add()([layers.Embedding(LEVELS, 4, name="five")(image)] * 2)),
        r"'five' gives features of shape \(2, 3, 3, 4\) where a map .* or reshape them to \(2, 3, 12\)",
    ),
    "other pixels": (
        lambda image: layers.Embedding(LEVELS, 4)(ops.transpose(image, (0, 2, 1, 3))[:, :2, :, 0]),
        "is neither a raster layer nor pointwise",
    ),
    "pixels to the right": (
        lambda image: layers.Embedding(LEVELS, 4)(image[:, :, ::-1, 0]),
        "is neither a raster layer nor pointwise",
    ),
    "several values at once": (
        lambda image: layers.CategoryEncoding(LEVELS, name="many")(image),
        "'many' .*apply it to the image, output_mode='one_hot', or use pixel_zoo.layers.ValueEmbedding.*colours=3",
    ),
    "features": (
        lambda image: flat(layers.Embedding(LEVELS, 4, name="late")(pz.layers.MaskedConv2D(3, 1, "A", 3)(image / 2))),
        r"'late' \(Embedding\).*apply it to the image, or use pixel_zoo.layers.ValueEmbedding",
    ),
}


@pytest.mark.parametrize(("encode", "message"), REFUSED.values(), ids=REFUSED)
def test_an_encoding_that_cannot_be_sampled_is_refused(encode, message):
    with pytest.raises(ValueError, match=message):
        model_with(encode, colours=3)


def test_no_levels_merge_in_half_precision():
    """Vectors that differ by less than bfloat16 resolves stay apart, up to and through the first layer."""
    model = pz.models.PixelCNN((1, 2, 1), 4, 4, 1, 4, embedding_dim=1, dtype="mixed_bfloat16")
    embedding, first = model.get_layer("embedding"), model.get_layer("first")
    embedding.embeddings.assign([[[1.0], [1.0001], [1.0002], [1.0003]]])
    features = first(embedding(np.arange(4).reshape(4, 1, 1, 1).repeat(2, axis=2)))
    assert len(np.unique(ops.convert_to_numpy(features)[:, 0, 1, 0])) == 4
    small = pz.models.PixelCNN((2, 2, 1), 4, 4, 1, 4, small_shape=(1, 1), embedding_dim=1, dtype="mixed_bfloat16")
    assert small.get_layer("small_embedding").compute_dtype == "float32"
    assert small.get_layer("small_features").compute_dtype == "float32"


def test_a_configuration_from_before_there_were_embeddings_loads():
    config = pz.models.GatedPixelCNN((3, 3, 1), 3, 4, 1, 4).get_config()
    assert config.pop("embedding_dim") is None
    assert pz.models.GatedPixelCNN.from_config(config).get_layer("scale").offset == -1.0


def test_every_stage_embeds_its_values():
    """The probabilities of all images sum to 1, with the small image embedded too."""
    options = {"filters": 3, "num_blocks": 1, "head_filters": 3}
    model = pz.models.MultiScalePixelRNN(
        (2, 2, 1), 3, ((1, 1),), base="PixelCNN", options=[options, options | {"embedding_dim": 5}], embedding_dim=2
    )
    scrambled(model)
    dims = [stage.get_layer("embedding").embedding_dim for stage in model.stages]
    assert dims == [2, 5] and model.stages[1].get_layer("small_embedding").embedding_dim == 5
    images = np.indices((3,) * 4).reshape(4, -1).T.reshape(-1, 2, 2, 1)
    np.testing.assert_allclose(np.exp(model.log_likelihood(images)).sum(), 1, atol=1e-5)
