"""Compression: what comes out is what went in, in as many bits as the likelihood says, or an error."""

import dataclasses
import zlib

import keras
import numpy as np
import pytest
from backends import tensorflow_alone
from catalogue import GIVEN_MODELS, given_with
from test_models import random_images, scrambled

import pixel_zoo as pz
from pixel_zoo.compression import block, codec, header, read_header
from pixel_zoo.compression.digits import Digits
from pixel_zoo.compression.rans import SCALE, SMALLEST_STATE, encode, inner_bounds

# Those that share the module's model: its functions are compiled once, and both ways must round alike.
compiled_once = pytest.mark.compiled
SMALL = {"filters": 3, "num_blocks": 1, "head_filters": 4}


@pytest.fixture(scope="module")
def model():
    return scrambled(pz.models.PixelCNN((3, 4, 1), levels=3, **SMALL))


@pytest.fixture(scope="module")
def images(model):
    return random_images(model, 7)


@pytest.fixture(scope="module")
def data(model, images):
    """Blocks of 5 and 2 images in 3 lanes, so that lanes are idle in both."""
    return pz.compress(model, images, block_size=5, batch_size=3)


def sealed(head, blocks):
    """The bytes of a header and blocks, with the lengths and checksums that belong to them."""
    table = [(len(one), zlib.crc32(one), images_crc) for one, (*_, images_crc) in zip(blocks, head.table, strict=True)]
    return dataclasses.replace(head, table=tuple(table)).to_bytes() + b"".join(blocks)


def blocks_of(data):
    return [data[one.begin : one.end] for one in read_header(data).blocks()]


# Numbers


@tensorflow_alone
@pytest.mark.parametrize("levels", [2, 3, 32, 33, 100, 256, 16384, 16385, 2**20])
def test_every_value_has_digits_of_its_own(levels):
    digits = Digits(levels)
    values = np.unique(np.random.default_rng(0).integers(0, levels, 1000))
    parts = np.stack([digits.of(values, place) for place in digits.places])
    assert (parts.T @ digits.places == values).all() and parts.max() < digits.base <= 128
    assert digits.places[0] * digits.base >= levels > digits.base ** (len(digits.places) - 1)
    assert digits.spread(np.ones((1, levels), "float32")).shape[1] == digits.base * digits.places[0]


@pytest.mark.parametrize("symbols", [2, 17, 128])
def test_no_symbol_has_frequency_0(symbols):
    """Whatever the probabilities: certain, impossible, too small for a float, rounded so that their sum exceeds 1."""
    draw = np.random.default_rng(symbols)
    probabilities = draw.dirichlet(np.full(symbols, 0.1), 1000).astype("float32")
    probabilities[:symbols] = np.eye(symbols)
    probabilities[symbols : 2 * symbols] = np.eye(symbols) * 1e-35
    probabilities[-1] = 0
    probabilities[-2] = np.float32(1 / symbols) * (1 + 1e-6)
    bounds = keras.ops.convert_to_numpy(inner_bounds(probabilities))
    frequencies = np.diff(bounds, prepend=0, append=SCALE)
    assert frequencies.min() >= 1
    ordinary = probabilities[2 * symbols : -2]
    assert abs(frequencies[2 * symbols : -2] - ordinary * SCALE).max() < 2 * symbols


def decoded_plainly(states, words, tables, count):
    """The textbook decoder of interleaved rANS: one symbol, one lane, one integer at a time."""
    states, words, symbols = [int(state) for state in states], list(words), []
    for table in tables[:count]:
        starts = np.cumsum([0, *table])
        row = []
        for lane, state in enumerate(states):
            slot = state % SCALE
            symbol = int(np.searchsorted(starts, slot, side="right")) - 1
            states[lane] = int(table[symbol]) * (state // SCALE) + slot - int(starts[symbol])
            row.append(symbol)
        for lane, state in enumerate(states):
            if state < SMALLEST_STATE:
                states[lane] = state * 2**16 + int(words.pop(0))
        symbols.append(row)
    return np.array(symbols), states, words


@tensorflow_alone
def test_the_coder_is_the_textbooks_and_costs_the_entropy():
    draw = np.random.default_rng(0)
    count, lanes = 2000, 4
    tables = [np.diff(np.sort(draw.choice(np.arange(1, SCALE), 7, replace=False)), prepend=0, append=SCALE)] * count
    frequencies = np.array(tables)
    symbols = draw.choice(8, (count, lanes), p=frequencies[0] / SCALE)
    of_symbols = np.take_along_axis(frequencies, symbols, 1)
    starts = np.take_along_axis(np.cumsum(frequencies, 1) - frequencies, symbols, 1)
    last = SMALLEST_STATE + np.arange(lanes)
    states, words = encode(last, starts, of_symbols)
    found, found_states, rest = decoded_plainly(states, words, tables, count)
    assert (found == symbols).all() and found_states == last.tolist() and not rest
    bits = -np.log2(of_symbols / SCALE).sum()
    assert 16 * len(words) + np.log2(states / last).sum() == pytest.approx(bits, rel=1e-3)


# Round trips


def assert_round_trip(model, images, given, **options):
    data = pz.compress(model, images, **given, **options)
    kept = {name: value for name, value in given.items() if name != "labels"}
    decompressed = pz.decompress(model, data, **kept)
    assert decompressed.dtype == ("uint8" if model.levels <= 256 else "int32")
    np.testing.assert_array_equal(decompressed, images)


# Of a PixelCNN, a Gated PixelCNN, a Row LSTM, a Diagonal BiLSTM, and a mixture, which runs the two that are slow here.
MARKS = [[tensorflow_alone], *[[tensorflow_alone, pytest.mark.slow]] * 2, [], [pytest.mark.slow_on_jax]]


@pytest.mark.parametrize(
    ("entry", "levels", "colours"),
    [
        pytest.param(*one, marks=marks)
        for *one, marks in zip(GIVEN_MODELS, (100, 2, 5, 2, 5), (2, 1, 1, 1, 1), MARKS, strict=True)
    ],
    ids=str,
)
def test_images_come_back_from_every_architecture(entry, levels, colours):
    model = scrambled(entry.make(image_shape=(2, 3, colours), levels=levels, num_blocks=1))
    assert_round_trip(model, random_images(model, 5), given_with(model, 5), batch_size=3)


@pytest.mark.slow
@tensorflow_alone
def test_images_come_back_from_a_multi_scale_model():
    options = {"small_shapes": ((1, 2),), "base": "PixelCNN", "options": SMALL, "num_classes": 3}
    model = scrambled(pz.models.MultiScalePixelRNN((2, 4, 1), 3, **options))
    assert_round_trip(model, random_images(model, 5), {"labels": np.arange(5) % 3}, batch_size=3)


@pytest.mark.slow_on_jax
def test_codes_of_many_levels_come_back():
    """Two digits each, the second of which has fewer values than its base."""
    model = scrambled(pz.models.GatedPixelCNN((2, 2, 1), levels=300, embedding_dim=2, **SMALL))
    images = np.array([0, 15, 16, 17, 287, 288, 289, 299], "int32").reshape(2, 2, 2, 1)
    assert_round_trip(model, images, {})


@compiled_once
def test_an_image_alone_comes_back(model, images):
    data = pz.compress(model, images[:1], block_size=5, batch_size=3)
    assert read_header(data).lanes == 1
    np.testing.assert_array_equal(pz.decompress(model, data), images[:1])


@pytest.mark.slow_on_jax
@pytest.mark.compiled
def test_the_size_is_what_the_likelihood_says():
    """And the header names a pretrained model and the engine."""
    model = pz.load("digits_pixel_cnn")
    images = pz.data.arrays("digits", "test")[:96]
    data = pz.compress(model, images, batch_size=32)
    bits = -model.log_likelihood(images).sum() / np.log(2)
    (only,) = blocks_of(data)
    assert bits / 8 < len(only) < 1.002 * bits / 8 + 3.5 * 32
    assert len(data) - len(only) < 160
    head = read_header(data)
    assert head.model_name == "digits_pixel_cnn" and head.engine in head.platform
    assert header.MAGIC == b"PZIM"  # files that exist begin with it


@pytest.mark.xla
def test_the_file_says_whether_xla_compiled(model, images):
    data = pz.compress(model, images[:2], jit_compile=True)
    assert read_header(data).xla
    np.testing.assert_array_equal(pz.decompress(model, data), images[:2])


# Blocks


@compiled_once
@tensorflow_alone
def test_blocks_are_decompressed_on_their_own(model, images, data):
    first, _ = blocks_of(data)
    broken = data.replace(first, bytes(len(first)))
    np.testing.assert_array_equal(pz.decompress(model, broken, start=5), images[5:])
    np.testing.assert_array_equal(pz.decompress(model, data, start=4, stop=6), images[4:6])
    with pytest.raises(ValueError, match=r"block 0, images 0\.\.4, is damaged"):
        pz.decompress(model, broken, start=4)


@tensorflow_alone
def test_labels_are_stored_or_given():
    model = scrambled(pz.models.PixelCNN((2, 2, 1), num_classes=5, **SMALL))
    images, labels = random_images(model, 9), np.arange(9) % 5
    stored = pz.compress(model, images, labels)
    bare = pz.compress(model, images, labels, store_labels=False)
    assert read_header(stored).labels.tolist() == labels.tolist() and read_header(bare).labels is None
    assert len(stored) - len(bare) == 4  # 9 labels of 3 bits
    np.testing.assert_array_equal(pz.decompress(model, stored, start=3), images[3:])
    np.testing.assert_array_equal(pz.decompress(model, bare, labels, start=3), images[3:])
    with pytest.raises(ValueError, match="labels: they are stored"):
        pz.decompress(model, stored, labels)
    with pytest.raises(ValueError, match=r"labels must be given: 0\.\.4"):
        pz.decompress(model, bare)
    with pytest.raises(ValueError, match="not decompressed to what was compressed"):
        pz.decompress(model, bare, (labels + 1) % 5)


# What is wrong is said


@compiled_once
@tensorflow_alone
def test_every_damaged_byte_is_found(model, data):
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(ValueError, match="data: "):
            pz.decompress(model, bytes(damaged))


@compiled_once
@tensorflow_alone
def test_every_loss_of_bytes_is_found(model, data):
    for length in range(len(data)):
        with pytest.raises(ValueError, match="data: "):
            pz.decompress(model, data[:length])
    with pytest.raises(ValueError, match="3 bytes too many"):
        pz.decompress(model, data + b"abc")


@compiled_once
@tensorflow_alone
def test_damage_that_the_checksums_of_the_file_hide_is_found(model, data):
    """Whoever changes words and seals the file again gets an error, not other images."""
    head, (first, second) = read_header(data), blocks_of(data)
    for position in (1, 3, len(first) - 1):
        changed = bytearray(first)
        changed[position] ^= 0x80
        with pytest.raises(ValueError, match=r"block 0, images 0\.\.4, was not decompressed to what was compressed"):
            pz.decompress(model, sealed(head, [bytes(changed), second]))
    with pytest.raises(ValueError, match=r"the stream of words is too short|wrong checksum"):
        pz.decompress(model, sealed(head, [first[:12], second]))
    with pytest.raises(ValueError, match="words are left over"):
        pz.decompress(model, sealed(head, [first, second + b"ab"]))


@compiled_once
@tensorflow_alone
def test_headers_that_ask_for_too_much_are_refused(data):
    """Before anything of that size is made: each would otherwise take gigabytes."""
    head, blocks = read_header(data), blocks_of(data)
    for changes in (
        {"count": 2**32 - 1},
        {"count": 2**32 - 1, "block_size": 2**32 - 1},
        {"lanes": 2**32 - 1},
        {"levels": 0},
        {"num_classes": 2**32 - 1, "labels": np.zeros(7, "int64"), "count": 2**31},
        {"num_classes": None, "labels": None, "block_size": 0},
    ):
        with pytest.raises(ValueError, match="data: the header is damaged"):
            read_header(sealed(dataclasses.replace(head, **changes), blocks))
    with pytest.raises(ValueError, match="version 2, this pixel_zoo reads version 1"):
        read_header(data[:4] + b"\2" + data[5:])


@compiled_once
@tensorflow_alone
def test_another_model_is_refused(model, images, data):
    other = scrambled(pz.models.PixelCNN((3, 4, 1), levels=3, **SMALL), seed=1)
    with pytest.raises(ValueError, match=r"model: another model compressed the images: its hash is \w{32}, that of"):
        pz.decompress(other, data)
    with pytest.raises(ValueError, match=r"shape \(3, 4, 1\) and 3 levels, the model takes \(3, 4, 1\) and 4"):
        pz.decompress(pz.models.PixelCNN((3, 4, 1), levels=4, **SMALL), data)
    again = scrambled(pz.models.PixelCNN((3, 4, 1), levels=3, name="another_name", **SMALL))
    np.testing.assert_array_equal(pz.decompress(again, data), images)


@compiled_once
def test_another_engine_is_refused(model, data):
    head = read_header(data)
    other = {"tensorflow": "jax", "jax": "tensorflow"}[head.engine]
    with pytest.raises(ValueError, match=f"compressed by {other}, .* KERAS_BACKEND={other}"):
        pz.decompress(model, sealed(dataclasses.replace(head, engine=other), blocks_of(data)))


@compiled_once
@tensorflow_alone
def test_another_rounding_is_found(model, data, monkeypatch):
    """A machine whose predictions differ a little decompresses something else, and must not return it."""
    other = scrambled(pz.models.PixelCNN((3, 4, 1), levels=3, **SMALL))
    other.weights[-1].assign(np.asarray(other.weights[-1]) * 1.01)
    monkeypatch.setattr(codec, "hash_of", lambda _: read_header(data).model_hash)
    with pytest.raises(ValueError, match=r"rounds differently; the images were compressed by .* on .*, this is "):
        pz.decompress(other, data)


@compiled_once
@tensorflow_alone
def test_a_machine_that_rounds_differently_from_run_to_run_is_found(model, images, monkeypatch):
    monkeypatch.setattr(block.BlockCoder, "decode", lambda self, data, count, conditions: (images * 0, []))
    with pytest.raises(RuntimeError, match="did not decompress what it had compressed"):
        pz.compress(model, images)


@tensorflow_alone
def test_weights_that_are_not_finite_are_refused():
    model = pz.models.PixelCNN((2, 2, 1), **SMALL)
    model.weights[-1].assign(np.full(model.weights[-1].shape, np.nan))
    with pytest.raises(ValueError, match="model: its probabilities are not finite"):
        pz.compress(model, np.zeros((1, 2, 2, 1), "uint8"))


@tensorflow_alone
@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"images": np.zeros((2, 3, 4, 1))}, TypeError, "images must be integers 0..2"),
        ({"images": np.full((2, 3, 4, 1), 3)}, ValueError, r"images must have values 0\.\.2, got 3\.\.3"),
        ({"images": np.zeros((0, 3, 4, 1), "uint8")}, ValueError, "the number of images must be an integer of at"),
        ({"labels": 1}, ValueError, "labels: the model takes none"),
        ({"block_size": 0}, ValueError, "block_size must be an integer of at least 1, got 0"),
        ({"batch_size": 2**16}, ValueError, "batch_size must be at most 65,535"),
        ({"batch_size": 1, "block_size": 1025}, ValueError, "block_size at most 1,024 times that"),
        ({"jit_compile": "yes"}, ValueError, "jit_compile must be True, False or 'auto'"),
    ],
)
def test_bad_arguments_of_compress_are_named(model, images, wrong, error, match):
    with pytest.raises(error, match=match):
        pz.compress(model, **({"images": images} | wrong))


@compiled_once
@tensorflow_alone
def test_bad_arguments_of_decompress_are_named(model, data):
    with pytest.raises(TypeError, match=r"data must be the bytes of pixel_zoo\.compress, got str"):
        pz.decompress(model, "file.pz")
    with pytest.raises(ValueError, match="these are not images compressed by pixel_zoo"):
        pz.decompress(model, b"\x89PNG")
    for start, stop in ((-1, 2), (2, 2), (0, 8)):
        with pytest.raises(ValueError, match=f"start, stop must be within the 7 images, got {start}, {stop}"):
            pz.decompress(model, data, start=start, stop=stop)
    with pytest.raises(TypeError, match="model must be a functional Keras model of raster layers, got Sequential"):
        pz.compress(keras.Sequential(), [])
