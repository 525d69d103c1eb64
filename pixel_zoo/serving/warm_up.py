"""Warm-up requests, which TensorFlow Serving sends itself before it serves a version."""

import pathlib

import numpy as np

from pixel_zoo.sampler import Sampler

# The sizes of batches that a server should allow where each of them is compiled: see `docs/serving.md`.
BATCH_SIZES = (1, 4, 16, 64)


def write_warm_up(directory, batch_sizes):
    """Write requests to each signature of a SavedModel into it, as `assets.extra/tf_serving_warmup_requests`.

    The first run of a signature prepares its graph, and compiles it if it is exported so. TensorFlow Serving runs these
    requests before it announces a version, so that no client waits for that (*SavedModel Warmup*, TensorFlow Serving's
    documentation). The file holds TFRecords, each a PredictionLog.

    Args:
        directory: path of the SavedModel.
        batch_sizes: tuple of ints, the sizes of the requests to each signature. PNG files are black, the temperature is
            1, other options of sampling are off, and all other values are zeros.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow_serving.apis import prediction_log_pb2

    directory = pathlib.Path(directory)
    (graph,) = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes()).meta_graphs
    extra = directory / "assets.extra"
    extra.mkdir()
    options = {"temperature": 1.0} | {name: rule.off for name, rule in Sampler.rules().items()}
    black = _black_png([dim.size for dim in graph.signature_def["score"].inputs["image"].tensor_shape.dim[1:]])
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as file:
        for name, signature in sorted(graph.signature_def.items()):
            for batch_size in batch_sizes if signature.inputs else ():
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.signature_name = name
                for key, info in signature.inputs.items():
                    sizes = [dim.size for dim in info.tensor_shape.dim[1:]]
                    dtype = tf.as_dtype(info.dtype)
                    value = options.get(key, black if dtype == tf.string else 0)
                    values = np.full((batch_size, *sizes), value, dtype.as_numpy_dtype)
                    request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
                file.write(log.SerializeToString())


def _black_png(image_shape):
    """A PNG file of a model's image; of grey if PNGs cannot hold its colours, for no signature takes it then."""
    import tensorflow as tf

    height, width, colours = image_shape
    return tf.io.encode_png(tf.zeros((height, width, colours if colours in (1, 3) else 1), tf.uint8)).numpy()
