"""Training defaults of all models."""

import keras


class LikelihoodTraining:
    """Makes `model.compile(); model.fit(images)` maximise the likelihood; stands before `keras.Model` among the bases.

    The images are their own targets: `_target(x)` finds them in what a step is fed.
    """

    def compile(self, optimizer="adam", loss="nats", metrics="default", **kwargs):
        """As in Keras, with defaults that train: loss -log p(x) in nats per image, metrics nats and bits/dim."""
        loss = self.default_loss() if loss == "nats" else loss
        metrics = self.default_metrics() if metrics == "default" else metrics
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def compile_from_config(self, config):
        """What `load_model` calls: Keras leaves models with a `compile` of their own to do this themselves."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        y = self._target(x) if y is None else y
        return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        y = self._target(x) if y is None else y
        return super().compute_metrics(x, y, y_pred, sample_weight=sample_weight)
