"""A worker of `turns`: TensorFlow Probability's PixelCNN as its documentation trains it on binary MNIST."""

import itertools
import os
import sys
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # it does not run on Keras 3

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from turns import serve


class Clock(tf_keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())


def main(batch):
    shape = (28, 28, 1)
    distribution = tfp.distributions.PixelCNN(
        image_shape=shape,
        num_resnet=1,
        num_hierarchies=2,
        num_filters=32,
        num_logistic_mix=5,
        dropout_p=0.3,
    )
    image = tf_keras.layers.Input(shape=shape)
    log_prob = distribution.log_prob(image)
    model = tf_keras.Model(inputs=image, outputs=log_prob)
    model.add_loss(-tf.reduce_mean(log_prob))
    model.compile(optimizer=tf_keras.optimizers.Adam(0.001), metrics=[])
    images = tf.cast(tf.random.uniform((batch, *shape)) < 0.13, tf.float32)

    def run(steps):
        clock = Clock()
        model.fit(tf.data.Dataset.from_tensors(images).repeat(steps + 1), callbacks=[clock], verbose=0)
        return [end - begin for begin, end in itertools.pairwise(clock.ends)]

    serve(run)


if __name__ == "__main__":
    main(int(sys.argv[1]))
