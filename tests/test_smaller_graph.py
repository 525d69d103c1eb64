"""SavedModels with fewer operations answer as before."""

import keras
import numpy as np
import pytest

from pixel_zoo.serving.smaller_graph import shrink

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow writes SavedModels")


def operations(path):
    """The operations of all functions of a SavedModel, by kind."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return [node.op for function in model.meta_graphs[0].graph_def.library.function for node in function.node_def]


def test_equal_constants_are_merged_and_random_numbers_are_not(tmp_path):
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def __call__(self, x):
            def rows():
                return tf.cast(tf.shape(x)[0] * tf.constant(3) + tf.constant(3), tf.float32)

            with tf.control_dependencies([tf.debugging.Assert(rows() > 0, [x])]):
                noise = [tf.random.uniform([]) for _ in range(2)]
            return rows() + rows(), tf.stack(noise)

    tf.saved_model.save(Module(), str(tmp_path))
    before = operations(tmp_path)
    shrink(tmp_path)
    after = operations(tmp_path)
    assert len(after) < len(before) and before.count("Shape") > after.count("Shape") == 1
    assert before.count("RandomUniform") == after.count("RandomUniform") == 2
    total, noise = tf.saved_model.load(str(tmp_path))(np.zeros((4, 2), "float32"))
    assert float(total) == 30 and noise[0] != noise[1]
    shrink(tmp_path)
    assert operations(tmp_path) == after
