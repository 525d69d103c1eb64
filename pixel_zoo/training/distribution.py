"""Training on several devices or machines, with `tf.distribute` or with Keras's distribution API on JAX."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import keras

#: The values that `train` and `pixel-zoo train --distribute` accept, and the backend that each needs.
BACKENDS = {"mirrored": "tensorflow", "multiworker": "tensorflow", "data_parallel": "jax"}


def distribution(name: str | None) -> "OneDevice":
    """How a run is distributed over devices. Create it before anything is computed.

    | name | backend | distributes over | configured by |
    |---|---|---|---|
    | None | any | one device | |
    | "mirrored" | TensorFlow | the devices of this machine | `CUDA_VISIBLE_DEVICES` |
    | "multiworker" | TensorFlow | processes of one device each, on any machines | `TF_CONFIG` |
    | "data_parallel" | JAX | all devices of one or several processes | `KERAS_DISTRIBUTION_*` |

    Returns:
        A `OneDevice` or one of its subclasses.

    Raises:
        ValueError: `name` is unknown, or not available on this backend.

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
            f"distribute={name!r} needs KERAS_BACKEND={BACKENDS[name]}, got {backend!r}, which has {right}"
        )
    return DataParallel() if name == "data_parallel" else Strategy(name)


class OneDevice:
    """A run on one device: the base class of all distributions.

    Attributes:
        replicas: int, number of parts that a batch is split into.
        share: (k, n), this process is the k-th of n.
        several_processes: bool, whether there are other processes. If so, all processes must do the same with the
            model at the same step, because reading a metric or a weight needs all of them.
        is_first: bool, whether this process writes the files.
    """

    replicas = 1
    share = (0, 1)

    @property
    def several_processes(self) -> bool:
        return self.share[1] > 1

    @property
    def is_first(self) -> bool:
        return self.share[0] == 0

    def build_scope(self) -> contextlib.AbstractContextManager:
        """The context in which the model is built and compiled."""
        return contextlib.nullcontext()

    def train_scope(self) -> contextlib.AbstractContextManager:
        """The context in which the model is trained."""
        return contextlib.nullcontext()

    def prepare(self, model: keras.Model) -> None:
        """Prepare a compiled model for `fit`."""

    def distribute(self, batches: Any) -> Any:
        """Return the batches of this process in the form that `fit` expects."""
        return batches

    def wait_for_all(self) -> None:
        """Wait until the first process has written its files, where an earlier exit of the others would abort it."""


class Strategy(OneDevice):
    """`tf.distribute`: a copy of the model on each device; gradients are summed over all of them."""

    def __init__(self, name: str) -> None:
        import tensorflow as tf

        if name == "multiworker":
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
            task = self.strategy.cluster_resolver
            devices = len(self.strategy.extended.worker_devices)
            if devices > 1:
                raise ValueError(
                    f"multiworker needs one device per process (CUDA_VISIBLE_DEVICES), this one has {devices}"
                )
            self.share = (task.task_id or 0, self.strategy.num_replicas_in_sync)
        else:
            self.strategy = tf.distribute.MirroredStrategy()
        self.replicas = self.strategy.num_replicas_in_sync

    def build_scope(self) -> contextlib.AbstractContextManager:
        return self.strategy.scope()

    def prepare(self, model: keras.Model) -> None:
        # With several workers, Keras reduces batches as if they were metrics, and metrics along an axis that they lack
        # (keras-team/keras 20585). Neither reduction is needed: the model is built already, and the logs of an epoch
        # are read from the metrics, which sum over replicas.
        model._maybe_symbolic_build = lambda **_: None
        model.train_function = self._function(model.train_step)
        model.test_function = self._function(model.test_step)
        _sum_before_clipping(model.optimizer)

    def _function(self, step: Callable) -> Callable:
        """Run a step of the model on each replica; return the logs of the first local one."""
        import tensorflow as tf

        @tf.function(reduce_retracing=True)
        def on_replicas(batch: Any) -> dict[str, Any]:
            logs = self.strategy.run(step, args=(batch,))
            return keras.tree.map_structure(lambda log: self.strategy.experimental_local_results(log)[0], logs)

        return lambda iterator: on_replicas(next(iterator))

    def distribute(self, batches: Any) -> Any:
        if not self.several_processes:
            return self.strategy.experimental_distribute_dataset(batches)
        # Each worker already reads only its share of every batch, so the global batches equal those of one process.
        return self.strategy.distribute_datasets_from_function(lambda context: batches)


class DataParallel(OneDevice):
    """Keras's distribution API on JAX: one program on all devices, each with its part of the batch."""

    def __init__(self) -> None:
        import os

        import jax

        if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
            keras.distribution.initialize()
        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self.replicas = jax.device_count()
        self.share = (jax.process_index(), jax.process_count())

    def build_scope(self) -> contextlib.AbstractContextManager:
        return self._distribution.scope()

    def train_scope(self) -> contextlib.AbstractContextManager:
        return self._distribution.scope()

    def wait_for_all(self) -> None:
        # Processes that exit wait 300 s for the others to exit; then JAX aborts all of them, the first one too.
        if self.several_processes:
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices("the run has ended")


def _sum_before_clipping(optimizer: keras.optimizers.Optimizer) -> None:
    """Sum gradients over replicas before they are clipped; Keras clips those of each replica."""
    import tensorflow as tf

    apply_gradients = optimizer.apply_gradients

    def summed(gradients_and_variables: Iterable[tuple[Any, Any]]) -> Any:
        gradients, variables = zip(*gradients_and_variables, strict=True)
        context = tf.distribute.get_replica_context()
        return apply_gradients(zip(context.all_reduce("SUM", list(gradients)), variables, strict=True))

    optimizer.apply_gradients = summed
    optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: gradients_and_variables
