"""A worker of `turns`: trains one of our models inside Keras's own `fit`.

    python benchmarks/train_worker.py '{"model": "PixelCNN", "options": {"filters": 32}, "batch": 32, "xla": true}'

Further keys: "source", where the images come from (see `feed`); "loss": "sum", to leave the likelihood out; "measure":
"idle", to time what `fit` does after its last step instead of its steps; "loop": true, to run several steps in one call
on the device, as `train` does on an accelerator (JAX).
"""

import json
import sys
import time

import keras
import numpy as np
from turns import serve

import pixel_zoo as pz
from pixel_zoo import data
from pixel_zoo.layers import DiagonalBiLSTM, MaskedConv2D, RowLSTM
from pixel_zoo.training import KeepFreedMemory
from pixel_zoo.training.device_loop import DeviceLoop
from pixel_zoo.training.feed import RowBlocks

STEPS_PER_CALL = 5


class ConstantBatch(keras.utils.PyDataset):
    """The same images, step after step."""

    def __init__(self, images, steps):
        super().__init__()
        self.images, self.steps = images, steps

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        return (self.images,)


def feed(source, images, steps):
    """The data of some steps of `fit`: one batch again and again, our pipeline of a data set, or an array."""
    if source == "constant":
        return {"x": ConstantBatch(images, steps), "shuffle": False}
    if source == "array":
        return {"x": np.tile(images, (steps, 1, 1, 1)), "batch_size": len(images)}
    return {"x": data.pipeline(source, "train", len(images), seed=0).take(steps), "shuffle": False}


class Clock(keras.callbacks.Callback):
    """The seconds from the end of one step to the end of the next."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())

    @property
    def seconds(self):
        return list(np.diff(self.ends))


def products_of_a_pixel(model):
    """Multiply-adds of a forward pass for one pixel: the unmasked weights, without biases."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, MaskedConv2D):
            total += layer.mask().sum()
        elif isinstance(layer, (RowLSTM, DiagonalBiLSTM)):
            total += layer.input_to_state.mask().sum() + np.prod(layer.recurrent_kernel.shape)
    return float(total)


def matrix_peak():
    """FLOP/s of the backend's own float32 product of two 2048 x 2048 matrices, the best of ten."""
    product = keras.ops.matmul
    if keras.backend.backend() == "jax":
        import jax

        product = jax.jit(product)
    a = keras.ops.convert_to_tensor(np.random.default_rng(0).standard_normal((2048, 2048)).astype("float32"))
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        np.asarray(product(a, a)[0, 0])
        seconds.append(time.perf_counter() - begin)
    return 2 * 2048**3 / min(seconds)


def main(task):
    memory = KeepFreedMemory()  # as `pixel_zoo.training.train` does
    model = getattr(pz.models, task["model"])(**task["options"])
    no_likelihood = {"loss": lambda images, logits: keras.ops.mean(logits), "metrics": []}
    model.compile(jit_compile=task["xla"], **(no_likelihood if task.get("loss") == "sum" else {}))
    shape = (task["batch"], *model.image_shape)
    images = (np.random.default_rng(0).random(shape) * model.levels * 0.6).astype("uint8")

    def run_loop(_):
        clock = Clock()
        model.train_function = device_loop
        blocks = RowBlocks(len(twice), len(images), STEPS_PER_CALL, seed=0)
        model.fit(x=blocks, shuffle=False, callbacks=[memory, clock], verbose=0)
        return [clock.seconds[0] / STEPS_PER_CALL] * STEPS_PER_CALL

    def run(steps):
        clock = Clock()
        model.fit(**feed(task.get("source", "constant"), images, steps + 1), callbacks=[memory, clock], verbose=0)
        return [time.perf_counter() - clock.ends[-1]] if task.get("measure") == "idle" else clock.seconds

    if task.get("loop"):
        twice = np.tile(images, (2 * STEPS_PER_CALL, 1, 1, 1))  # two calls, of which the second is timed
        run(1)  # makes the state of the loss, the metrics and the optimizer
        device_loop = DeviceLoop(model, twice)

    pixels = task["batch"] * np.prod(model.image_shape[:2])
    # Backwards there are two products for each one forwards: the gradients of the input and of the weights.
    serve(
        run_loop if task.get("loop") else run,
        flop=3 * 2 * products_of_a_pixel(model) * float(pixels),
        matrix_peak=matrix_peak(),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
