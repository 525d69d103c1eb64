"""Training on several devices or machines by the engines' own means: tf.distribute, Keras's distribution on JAX."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import keras

#: What `train` and `pixel-zoo train --distribute` take, and the backend that each needs.
BACKENDS = {"mirrored": "tensorflow", "multiworker": "tensorflow", "data_parallel": "jax"}


def distribution(name: str | None) -> "OneDevice":
    """How a run is spread over devices. Make it before anything is computed.

    | name | backend | what it spreads over | set by |
    |---|---|---|---|
    | None | any | one device | |
    | "mirrored" | TensorFlow | the devices of this machine | `CUDA_VISIBLE_DEVICES` |
    | "multiworker" | TensorFlow | processes of one device each, on any machines | `TF_CONFIG` |
    | "data_parallel" | JAX | all devices of one or several processes | `KERAS_DISTRIBUTION_*` |

    Returns:
        A `OneDevice` or one of its subclasses.

    Raises:
        ValueError: there is no such way, or not on this backend.

    Example:

    >>> distribution(None).replicas
    1
    """
    if name is None:
        return OneDevice()
    if name not in BACKENDS:
        raise ValueError(f"distribute must be one of {', '.join(BACKENDS)}, got {name!r}")
    backend = keras.backend.backend()
    if BACKENDS[name] != backend:
        right = ", ".join(other for other, needed in BACKENDS.items() if needed == backend)
        raise ValueError(
            f"distribute={name!r} needs KERAS_BACKEND={BACKENDS[name]}, got {backend!r}, on which there is {right}"
        )
    return DataParallel() if name == "data_parallel" else Strategy(name)


class OneDevice:
    """No distribution, and what one is.

    Attributes:
        replicas: int, parts that a batch is cut into.
        share: (k, n), this process is the k-th of n.
        several_processes: bool, whether there are more than this one. What one does with the model all must do, at the
            same step: each needs the others to read a figure or a weight.
        is_first: bool, whether this is the one that writes.
    """

    replicas = 1
    share = (0, 1)

    @property
    def several_processes(self) -> bool:
        return self.share[1] > 1

    @property
    def is_first(self) -> bool:
        return self.share[0] == 0

    def making(self) -> contextlib.AbstractContextManager:
        """The context in which a model is made and compiled."""
        return contextlib.nullcontext()

    def training(self) -> contextlib.AbstractContextManager:
        """The context in which it is trained."""
        return contextlib.nullcontext()

    def prepare(self, model: keras.Model) -> None:
        """Make a compiled model ready for `fit`."""

    def spread(self, batches: Any) -> Any:
        """The batches of this process as `fit` takes them."""
        return batches

    def meet(self) -> None:
        """Wait for the first process to write the end of a run, where the others would end it by ending before it."""


class Strategy(OneDevice):
    """tf.distribute: a copy of the model on each device, gradients summed over all."""

    def __init__(self, name: str) -> None:
        import tensorflow as tf

        if name == "multiworker":
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
            task = self.strategy.cluster_resolver
            devices = len(self.strategy.extended.worker_devices)
            if devices > 1:
                raise ValueError(f"multiworker: one device a process (CUDA_VISIBLE_DEVICES), this one has {devices}")
            self.share = (task.task_id or 0, self.strategy.num_replicas_in_sync)
        else:
            self.strategy = tf.distribute.MirroredStrategy()
        self.replicas = self.strategy.num_replicas_in_sync

    def making(self) -> contextlib.AbstractContextManager:
        return self.strategy.scope()

    def prepare(self, model: keras.Model) -> None:
        # With several workers Keras reduces a batch as if it were a figure, and figures along an axis they don't have
        # (keras-team/keras 20585). All is built already, and an epoch's figures come from the metrics, which sum over
        # replicas when they are read: so neither is needed.
        model._maybe_symbolic_build = lambda **_: None
        model.train_function = self._function(model.train_step)
        model.test_function = self._function(model.test_step)
        _sum_before_clipping(model.optimizer)

    def _function(self, step: Callable) -> Callable:
        """Run a step of the model on each replica; the logs are those of the first one here."""
        import tensorflow as tf

        @tf.function(reduce_retracing=True)
        def on_replicas(batch: Any) -> dict[str, Any]:
            logs = self.strategy.run(step, args=(batch,))
            return keras.tree.map_structure(lambda log: self.strategy.experimental_local_results(log)[0], logs)

        return lambda iterator: on_replicas(next(iterator))

    def spread(self, batches: Any) -> Any:
        if not self.several_processes:
            return self.strategy.experimental_distribute_dataset(batches)
        # Each worker has its share of every batch already, so that batches are those of a single process.
        return self.strategy.distribute_datasets_from_function(lambda context: batches)


class DataParallel(OneDevice):
    """Keras's distribution on JAX: one program on all devices, each of which holds its part of a batch."""

    def __init__(self) -> None:
        import os

        import jax

        if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
            keras.distribution.initialize()
        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self.replicas = jax.device_count()
        self.share = (jax.process_index(), jax.process_count())

    def making(self) -> contextlib.AbstractContextManager:
        return self._distribution.scope()

    def training(self) -> contextlib.AbstractContextManager:
        return self._distribution.scope()

    def meet(self) -> None:
        # JAX aborts all processes, the first one too, when some have ended and waited 300 s for the rest to end.
        if self.several_processes:
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices("the run has ended")


def _sum_before_clipping(optimizer: keras.optimizers.Optimizer) -> None:
    """Let gradients be summed over replicas before they are clipped: Keras clips those of each replica."""
    import tensorflow as tf

    apply_gradients = optimizer.apply_gradients

    def summed(gradients_and_variables: Iterable[tuple[Any, Any]]) -> Any:
        gradients, variables = zip(*gradients_and_variables, strict=True)
        context = tf.distribute.get_replica_context()
        return apply_gradients(zip(context.all_reduce("SUM", list(gradients)), variables, strict=True))

    optimizer.apply_gradients = summed
    optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: gradients_and_variables
