"""Models that are saved as the arguments of their constructor."""

from typing import TYPE_CHECKING, Any, Self

import keras

# Type checkers should know the attributes of the model that comes after this class among the bases.
if TYPE_CHECKING:
    from keras import Model as _Model
else:
    _Model = object


class Configured(_Model):
    """Saves a model as the arguments of its constructor, `_config`, not as the graph that they built.

    As in Keras, the configuration records which layers are frozen, nested layers included. Put this class before the
    model among the bases.
    """

    def get_config(self) -> dict[str, Any]:
        frozen = [path for path, layer in _sublayers(self) if not layer.trainable]
        return {"name": self.name, "trainable": self.trainable, **self._config} | ({"frozen": frozen} if frozen else {})

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        arguments = {name: value for name, value in config.items() if name != "frozen"}
        model = cls(**arguments)
        if "frozen" in config:
            # Setting a layer also sets its nested layers, which come after it here.
            for path, layer in _sublayers(model):
                layer.trainable = path not in config["frozen"]
        return model


def freeze_alike(model: keras.Model, other: keras.Model) -> None:
    """Freeze those layers of a model, nested layers included, that are frozen in another model of the same layers."""
    model.trainable = other.trainable
    for (_, layer), (_, theirs) in zip(_sublayers(model), _sublayers(other), strict=True):
        layer.trainable = theirs.trainable  # sets its nested layers too, which come after it


def _sublayers(layer, prefix=""):
    """(path, layer) of all layers inside a layer or model, each before its nested layers."""
    for child in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{child.name}"
        yield path, child
        yield from _sublayers(child, f"{path}/")
