"""Many training steps in one call to the device, for accelerators that a host cannot keep busy step by step (JAX)."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from pixel_zoo import backend
from pixel_zoo.training.distribution import OneDevice
from pixel_zoo.training.feed import RowBlocks

#: Steps of a call: enough to make the host's share of a call negligible, few enough to react to a signal.
STEPS_PER_CALL = 100


def default_steps_per_call(devices: OneDevice) -> int:
    """Return how many steps a run should take at a time: 100 on one accelerator under JAX, otherwise 1.

    Args:
        devices: how the run is distributed, as of `pixel_zoo.training.distribution`.

    Example:

    >>> from pixel_zoo.training.distribution import distribution
    >>> default_steps_per_call(distribution(None)) in (1, 100)
    True
    """
    looped = keras.backend.backend() == "jax" and devices.replicas == 1 and backend.on_accelerator()
    return STEPS_PER_CALL if looped else 1


def check_steps_per_call(steps_per_call: int, devices: OneDevice) -> None:
    """Raise a ValueError unless the engine can take this many steps per call."""
    if steps_per_call > 1 and keras.backend.backend() != "jax":
        raise ValueError(f"steps_per_call must be 1 on {keras.backend.backend()}, got {steps_per_call}: use JAX")
    if steps_per_call > 1 and devices.replicas > 1:
        raise ValueError(f"steps_per_call must be 1 in a distributed run, got {steps_per_call}")


class DeviceLoop:
    """Runs blocks of training steps as one compiled loop over images that stay on the device.

    Keras's JAX trainer dispatches every step from Python, which costs the host several milliseconds a step. Here a call
    of Keras's `train_function` receives the rows of many batches; the loop gathers each batch on the device and applies
    the model's own `train_step` to it. The state is donated, so that it is updated in place. Every step computes what
    it computes in `fit`, in the same order; XLA may round differently.

    Args:
        model: compiled model, whose loss, metrics and optimizer are built.
        columns: NumPy array (N, height, width, channels), or a dictionary of such an array and others of N rows: the
            model's inputs.
        targets: NumPy array (N, ...), the target of each image, or None: the images themselves.

    Raises:
        MemoryError: the images do not fit into the device's free memory; names both sizes.
    """

    def __init__(
        self,
        model: keras.Model,
        columns: np.ndarray | dict[str, np.ndarray],
        targets: np.ndarray | None = None,
    ) -> None:
        import jax

        _check_memory(columns, targets)
        images = (columns,) if targets is None else (columns, targets)
        self.images = keras.tree.map_structure(jax.device_put, images)
        # The images are an argument: as constants they would be compiled into the program.
        self._run = backend.compiled_step(
            lambda state, images, rows: _run_block(model, state, images, rows), donate_argnums=0
        )

    def __call__(self, state: tuple, iterator: Iterator[tuple[np.ndarray]]) -> tuple[dict[str, Any], tuple]:
        """Take the steps of the next block of rows: (state, iterator) -> (logs, state), as Keras's train function."""
        (rows,) = next(iterator)
        return self._run(state, self.images, rows)


def _run_block(model: keras.Model, state: tuple, images: Any, rows: Any) -> tuple[dict[str, Any], tuple]:
    """Apply `model.train_step` to every batch of a block, int32 (steps, batch); rows of -1 fill an unfinished one."""
    import jax

    def step(index: Any, state: tuple) -> tuple:
        batch = keras.tree.map_structure(lambda column: jax.numpy.take(column, rows[index], axis=0), images)
        return model.train_step(state, batch)[1]

    state = jax.lax.fori_loop(0, (rows[:, 0] != RowBlocks.NOTHING).sum(), step, state)
    with keras.StatelessScope(state_mapping=zip(model.metrics_variables, state[-1], strict=True)):
        return model.get_metrics_result(), state


def has_room(columns: np.ndarray | dict[str, np.ndarray], more: int = 0) -> bool:
    """Return whether the free memory of the device holds these arrays and so many bytes more, as far as JAX tells.

    Example:

    >>> has_room(np.zeros(10))
    True
    """
    free = _free_bytes()
    return free is None or _bytes(columns) + more <= free


def _free_bytes() -> int | None:
    if keras.backend.backend() != "jax":
        return None
    import jax

    memory = jax.devices()[0].memory_stats()  # None on a CPU
    return memory["bytes_limit"] - memory["bytes_in_use"] if memory else None


def _bytes(columns: Any) -> int:
    return sum(column.nbytes for column in keras.tree.flatten(columns))


def _check_memory(columns: np.ndarray | dict[str, np.ndarray], targets: np.ndarray | None) -> None:
    """Raise a MemoryError if the images and targets do not fit into the free memory of the device."""
    more = 0 if targets is None else targets.nbytes
    if not has_room(columns, more):
        raise MemoryError(
            f"the training data take {(_bytes(columns) + more) / 2**20:,.0f} MiB, and the device has "
            f"{(_free_bytes() or 0) / 2**20:,.0f} MiB free; steps_per_call=1 leaves them in main memory"
        )
