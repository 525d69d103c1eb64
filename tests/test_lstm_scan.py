"""Gradients written by hand; the recurrence of both LSTM layers: its groups of images, its precision."""

import keras
import numpy as np
import pytest
from backends import fewer_on_jax
from test_layers import as_numpy, build, check_equals_reference, float64_on_jax, output_map, random_bias, random_map

from pixel_zoo import backend
from pixel_zoo.layers import DiagonalBiLSTM, MaskedConv2D, RowLSTM, diagonal_bilstm

__all__ = ["float64_on_jax"]  # the fixture

every_lstm = pytest.mark.parametrize(
    ("layer_class", "arguments"),
    [(RowLSTM, {"kernel_size": 5, "colours": 3}), (DiagonalBiLSTM, {"colours": 3})],
    ids=["RowLSTM", "DiagonalBiLSTM"],
)


@pytest.fixture
def grouped(monkeypatch):
    """Split even small batches into groups of images."""
    monkeypatch.setattr(diagonal_bilstm, "POSITIONS_OF_A_STEP", 1)


def total_of(layer, weighting):
    """sum(weighting * output) as a compiled function of x, bias and every weight of the layer."""

    def total(x, bias, *weights):
        y, _ = layer.stateless_call(list(weights), [], x, bias=bias)
        return keras.ops.sum(y * weighting)

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(total)
    import tensorflow as tf

    return tf.function(total, autograph=False)


def gradients(total, tensors):
    """Gradients of a function with respect to each of the tensors."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(jax.grad(total, argnums=tuple(range(len(tensors)))))(*tensors)
    import tensorflow as tf

    tensors = [tf.constant(tensor) for tensor in tensors]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = total(*tensors)
    return tape.gradient(value, tensors)


def slope(total, tensors, directions, step=1e-5):
    """The same function's slope along a direction, by central differences."""
    ahead, behind = (
        total(*(t + sign * step * d for t, d in zip(tensors, directions, strict=True))) for sign in (1, -1)
    )
    return (float(ahead) - float(behind)) / (2 * step)


@every_lstm
def test_the_gradient_is_the_slope(layer_class, arguments, grouped):
    check_gradient(build(layer_class(units=4, dtype="float64", **arguments), 3))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_the_gradient_of_a_convolution_is_the_slope(kernel_size):
    check_gradient(build(MaskedConv2D(4, kernel_size, "B", colours=3, dtype="float64"), 3))


def check_gradient(layer):
    """The gradient of x, bias and every weight against the slope, each along a random direction."""
    x, bias = random_map(4, 3, 4, 3), random_bias(layer, 4, 3, 4)
    tensors = [x, bias, *(as_numpy(weight) for weight in layer.trainable_variables)]
    total = total_of(layer, random_map(4, 3, 4, 4, seed=3))
    computed = gradients(total, tensors)
    for n, tensor in enumerate(tensors):
        directions = [np.zeros_like(other) for other in tensors]
        directions[n] = random_map(*tensor.shape, seed=4)
        expected = slope(total, tensors, directions)
        np.testing.assert_allclose((as_numpy(computed[n]) * directions[n]).sum(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("batch", fewer_on_jax([2, 3, 4], [3]))
def test_images_side_by_side_do_not_see_each_other(batch, grouped):
    layer = build(DiagonalBiLSTM(3, dtype="float64"), 2)
    assert diagonal_bilstm._groups(batch, 3, training=False) == batch
    check_equals_reference(layer, random_map(batch, 3, 4, 2), random_bias(layer, batch, 3, 4))


@pytest.mark.parametrize(
    ("batch", "height", "groups"),
    [(1, 28, 1), (4, 28, 1), (16, 28, 4), (32, 28, 8), (256, 28, 8), (31, 28, 1), (9, 64, 3), (None, 28, 8)],
)
def test_groups_leave_a_step_enough_to_do(batch, height, groups):
    assert diagonal_bilstm._groups(batch, height, training=True) == groups


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="shapes are always known on JAX")
@pytest.mark.parametrize("layer_class", [RowLSTM, DiagonalBiLSTM])
@pytest.mark.parametrize("xla", [False, pytest.param(True, marks=[pytest.mark.xla, pytest.mark.slow])])
def test_a_batch_of_any_size_after_one_trace(layer_class, xla, grouped):
    """As `fit` traces it; 8 groups hold neither 5 nor 9 images evenly."""
    import tensorflow as tf

    assert diagonal_bilstm._groups(None, 3, training=True) == 8
    layer = build(layer_class(3, dtype="float64"), 2)
    traced = tf.function(lambda x: layer(x, training=True), autograph=False, jit_compile=xla)
    traced = traced.get_concrete_function(tf.TensorSpec((None, 3, 4, 2), "float64"))
    for batch in (1, 5, 9):
        x = random_map(batch, 3, 4, 2)
        np.testing.assert_allclose(traced(tf.constant(x)).numpy(), output_map(layer, x), rtol=0, atol=1e-12)


@pytest.mark.slow_on_jax
@every_lstm
def test_mixed_precision_keeps_the_gradient(layer_class, arguments):
    """The cell, the gates and the sums stay in float32: what bfloat16 loses stays near its rounding."""
    exact = build(layer_class(units=4, dtype="float32", **arguments), 3)
    mixed = build(layer_class(units=4, dtype="mixed_bfloat16", **arguments), 3)
    x, bias = random_map(2, 5, 4, 3).astype("float32"), random_bias(exact, 2, 5, 4).astype("float32")
    weights = [as_numpy(weight).astype("float32") for weight in exact.trainable_variables]
    for right, near in zip(
        gradients(total_of(exact, np.float32(1)), [x, bias, *weights]),
        gradients(total_of(mixed, np.float32(1)), [x, keras.ops.cast(bias, "bfloat16"), *weights]),
        strict=True,
    ):
        right, near = as_numpy(right), as_numpy(near)
        assert np.linalg.norm(near - right) < 0.03 * np.linalg.norm(right)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="TensorFlow rounds products of half precision")
def test_products_of_half_precision_are_summed_in_float32():
    """1 + 255 x 2**-9, which rounds to 1.5 in bfloat16."""
    a = keras.ops.convert_to_tensor([[1.0] + [2.0**-9] * 255], "bfloat16")
    product = backend.matmul(a, keras.ops.ones((256, 1), "bfloat16"), "float32")
    assert float(product[0, 0]) == 1 + 255 * 2**-9


ONE_LANE = {
    "Row LSTM, width 1": (RowLSTM, {}, (3, 1)),
    "Row LSTM, a kernel wider than the row": (RowLSTM, {"kernel_size": 7}, (2, 3)),
    "Diagonal BiLSTM, height 1": (DiagonalBiLSTM, {}, (1, 3)),
    "Diagonal BiLSTM, one pixel": (DiagonalBiLSTM, {}, (1, 1)),
}


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX always compiles")
@pytest.mark.parametrize(("layer_class", "arguments", "size"), ONE_LANE.values(), ids=ONE_LANE)
def test_a_line_shorter_than_its_taps_compiles_with_xla(layer_class, arguments, size):
    """XLA cannot write an empty slice: what a tap reads if all of it lies outside the image."""
    import tensorflow as tf

    layer = build(layer_class(2, dtype="float64", **arguments), 2)
    x = tf.constant(random_map(2, *size, 2))

    def output_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(y * y)
        return y, *tape.gradient(total, [x, layer.recurrent_kernel.value])

    compiled = tf.function(output_and_gradient, autograph=False, jit_compile=True)(x)
    for one, other in zip(compiled, tf.function(output_and_gradient, autograph=False)(x), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
