"""A recipe: a training run as one small dataclass; recipe files; overriding fields from the command line."""

import ast
import dataclasses
import importlib.util
import inspect
import json
import numbers
import pathlib
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import keras

from pixel_zoo import data, models
from pixel_zoo.checks import did_you_mean, one_of
from pixel_zoo.models.multi_scale import BASES
from pixel_zoo.references import imported, is_reference, reference_to

OPTIMIZERS = ("adam", "adamw", "rmsprop")
SCHEDULES = ("constant", "cosine")
FROM_THE_DATA = ("image_shape", "levels")
OPTIONS = ("data_options", "model_options")
TEXT_FIELDS = ("data", "model", "optimizer", "schedule", "target", "source")
WORDS = {"none": None, "true": True, "false": False}
INT32 = 2**31
#: The largest sizes that are tried: beyond them a model can't be built in any memory or time.
LARGEST_SIZES = {"num_blocks": 1_000} | dict.fromkeys(
    ("filters", "units", "head_filters", "embedding_dim", "conditioning_dim"), 2**16
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run: data set, model, optimiser, schedule, length, and the figure to reach.

    Everything is checked when a recipe is made, before any work.

    Args:
        data: one of `pixel_zoo.data.names()`; or a `pixel_zoo.data.DataSet` of yours, or a function of options that
            returns one; or text "package.module:name" that names either. It sets the model's image shape and levels.
        data_options: its options, such as `{"path": "photos", "size": 32}` for "images"; the files may come later.
        model: name of a class in `pixel_zoo.models`, such as "PixelCNN" or "PixelRNN"; or a class or function of yours
            that takes `image_shape`, `levels` and `model_options`, and returns a model of `pixel_zoo.models`; or text
            "package.module:name" that names one.
        model_options: its other arguments, such as `{"filters": 32, "num_blocks": 15}`: values that JSON can hold.
        initial_weights: path of a `.keras` file of the same architecture to start from, or None. Layers that it lacks,
            such as a position embedding, start as usual.
        teacher: path of the `.keras` file of a trained model of the same data set, from whose predictions the model
            learns along with the images (knowledge distillation, see `pz.models.PixelModel.compile`); or None.
        optimizer: Keras's name: "adam", "adamw" or "rmsprop" (the paper's).
        learning_rate: its highest value, above 0.
        schedule: "constant", or "cosine", which falls to 0 along half a cosine over all steps of all epochs.
        warmup_steps: steps over which a "cosine" schedule first rises from 0 to `learning_rate`.
        weight_decay: share of the weights that a step subtracts, times the learning rate; None leaves it to Keras
            (0, or 0.004 for "adamw").
        clip_norm: maximum global norm of the gradient, or None.
        ema_momentum: momentum, in (0, 1), of the moving average of the weights with which the model is evaluated and
            saved, or None for the weights themselves.
        batch_size: images per step; images left over at the end of an epoch, too few for a batch, are dropped:
            different ones each epoch.
        accumulation_steps: steps whose gradients are averaged for one update of the weights, for batches that do not
            fit in memory. Schedules count steps, not updates.
        epochs: passes over the training split.
        patience: end training after this many epochs without fewer validation nats; None runs all epochs.
        seed: seed of the initial weights, the order of the images and dropout.
        jit_compile: whether XLA compiles the training step; None leaves it to Keras (not on a CPU under TensorFlow).
        mixed_precision: whether layers compute in bfloat16 while training, for accelerators that have units for it.
            Weights, optimizer, logits and likelihood stay in float32, and so does all of the saved model. Figures that
            are logged while training come from bfloat16 layers; at the end the saved model is validated in float32.
        target: the figure to reach, in words, with unit and split, and the binarisation if there is one.
        source: where that figure was published: paper and table.

    Raises:
        ValueError, TypeError: an argument is not as described; the message names it.

    Example:

    >>> Recipe(data="digits", model="PixelCNN", model_options={"filters": 8}, epochs=3).learning_rate
    0.001
    """

    data: data.DataLike
    data_options: dict = dataclasses.field(default_factory=dict)
    model: str | Callable[..., keras.Model]
    model_options: dict = dataclasses.field(default_factory=dict)
    initial_weights: str | None = None
    teacher: str | None = None
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_steps: int = 0
    weight_decay: float | None = None
    clip_norm: float | None = None
    ema_momentum: float | None = None
    batch_size: int = 32
    accumulation_steps: int = 1
    epochs: int = 10
    patience: int | None = None
    seed: int = 0
    jit_compile: bool | None = None
    mixed_precision: bool = False
    target: str = ""
    source: str = ""

    def __post_init__(self):
        _check_data(self.data, self.data_options)
        _check_model(self.model, self.model_options)
        if self.model_options.get("num_classes") is not None and not data.options(self.data):
            check_classes(self, data.info(self.data))
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        _number("learning_rate", self.learning_rate, low=0)
        one_of("schedule", self.schedule, SCHEDULES)
        _integer("warmup_steps", self.warmup_steps, 0)
        if self.warmup_steps and self.schedule != "cosine":
            raise ValueError(f"warmup_steps needs schedule='cosine', got {self.warmup_steps} and {self.schedule!r}")
        for name in ("weight_decay", "clip_norm"):
            if getattr(self, name) is not None:
                _number(name, getattr(self, name), low=0)
        if self.ema_momentum is not None:
            _number("ema_momentum", self.ema_momentum, low=0, high=1)
        for name in ("batch_size", "accumulation_steps", "epochs", "patience"):
            if name != "patience" or self.patience is not None:
                _integer(name, getattr(self, name), 1)
        _integer("seed", self.seed, 0, high=2**32)
        one_of("jit_compile", self.jit_compile, (None, True, False))
        one_of("mixed_precision", self.mixed_precision, (True, False))
        if self.mixed_precision and "dtype" in self.model_options:
            raise ValueError(f"mixed_precision sets the model's dtype, got {self.model_options['dtype']!r} for it too")
        if self.mixed_precision:
            _check_model(self.model, self.model_options | {"dtype": "mixed_bfloat16"})
        for name in ("initial_weights", "teacher"):
            path = getattr(self, name)
            if path is not None and not (isinstance(path, str) and path.endswith(".keras")):
                raise ValueError(f"{name} must be the path of a .keras file or None, got {path!r}")
        for name in ("target", "source"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string, got {getattr(self, name)!r}")

    def to_dict(self) -> dict:
        """The fields as JSON values: what config.json holds and what `resume` compares.

        A data set or model that was passed as an object is named: "package.module:name", or a `DataSet` by its `name`.

        Example:

        >>> Recipe(data="digits", model=pz.models.PixelCNN, model_options={"filters": 8}).to_dict()["model"]
        'PixelCNN'
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields |= {"data": data.name_of(self.data), "model": _model_name(self.model)}
        return json.loads(json.dumps(fields, default=_json_number))


def model_names() -> list[str]:
    """The names in `pixel_zoo.models` that a recipe's `model` may be, sorted."""
    return sorted(
        name for name, value in vars(models).items() if inspect.isclass(value) and value is not models.PixelModel
    )


def find_model(model: str | Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """The class or function that a recipe's `model` names.

    Raises:
        ValueError, TypeError: there is no such model.

    Example:

    >>> find_model("PixelCNN") is find_model("pixel_zoo.models:PixelCNN") is pz.models.PixelCNN
    True
    """
    if is_reference(model):
        found = imported("model", model)
    elif isinstance(model, str):
        found = getattr(models, one_of("model", model, model_names()))
    else:
        found = model
    if not callable(found):
        raise TypeError(f"model must be a name, a class or a function, got {found!r}")
    return found


def check_classes(recipe: Recipe, info: data.DataSet) -> None:
    """Raise a ValueError if the model of a recipe takes other labels than its data set has."""
    num_classes = recipe.model_options.get("num_classes")
    if num_classes is not None and num_classes != info.classes:
        classes = "no labels" if info.classes is None else f"{info.classes} classes"
        raise ValueError(f"model_options: {info.name} has {classes}, got num_classes={num_classes!r}")


def load_recipes(path: str | pathlib.Path) -> dict[str, Recipe]:
    """Load the recipes of a Python file, which may be anywhere.

    The file may import modules of its own folder: the folder is added to the end of `sys.path`.

    Args:
        path: the file; each of its public module-level variables that is a `Recipe` is one.

    Returns:
        Dictionary of name -> `Recipe`, in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a Python file, fails when run (the message says how, and in which line), or contains no
            recipe.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "mine.py")
    >>> _ = path.write_text("import pixel_zoo.training as t\\ntiny = t.Recipe(data='digits', model='PixelCNN')\\n")
    >>> list(load_recipes(path))
    ['tiny']
    """
    recipes = recipes_of_file(path)
    if not recipes:
        raise ValueError(f"recipe: {str(path)!r} holds no Recipe")
    return recipes


def recipes_of_file(path: str | pathlib.Path) -> dict[str, Recipe]:
    """As `load_recipes`, but the file may hold none: then the dictionary is empty."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"recipe: there is no file {str(path)!r}")
    if path.suffix != ".py":
        raise ValueError(f"recipe: {str(path)!r} is not a Python file (.py)")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None and specification.loader is not None  # it is a .py file
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # report any error of a user's file in one line that says where
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f" in line {lines[-1]}" if lines else ""
        raise ValueError(f"recipe: {str(path)!r} fails{where}: {type(error).__name__}: {error}") from error
    return {name: value for name, value in vars(module).items() if isinstance(value, Recipe) and name[0] != "_"}


def override(recipe: Recipe, *assignments: str) -> Recipe:
    """Return `recipe` with some fields changed by texts, as typed on the command line.

    Args:
        recipe: the `Recipe` to start from.
        *assignments: texts "field=value", or "model_options.name=value" for one option of the model, and
            "data_options.name=value" for one of the data set. Values are read as Python literals (none, true and false
            in any case); text fields and options take them as they are.

    Returns:
        A new `Recipe`.

    Raises:
        ValueError: a text has no "=", names no field, or its value is not allowed.

    Example:

    >>> recipe = Recipe(data="digits", model="PixelCNN")
    >>> override(recipe, "learning_rate=3e-4", "model_options.filters=16").model_options
    {'filters': 16}
    """
    fields = [field.name for field in dataclasses.fields(Recipe)]
    changes: dict[str, Any] = {name: dict(getattr(recipe, name)) for name in OPTIONS}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        field, _, option = name.partition(".")
        if not equals:
            raise ValueError(f"set: {assignment!r} must read field=value")
        if field not in fields or bool(option) != (field in OPTIONS):
            names = [f"{name}.NAME" if name in OPTIONS else name for name in fields]
            suggestion = did_you_mean(field, fields) if field not in fields else ""
            raise ValueError(f"set: {suggestion}a recipe has no field {name!r}; it has {', '.join(names)}")
        if field == "data_options":
            changes[field][option] = _parse_data_option(changes.get("data", recipe.data), option, text)
        elif option:
            changes[field][option] = _parse(text)
        else:
            changes[field] = text if field in TEXT_FIELDS else _parse(text)
    return dataclasses.replace(recipe, **changes)


def parse_data_options(name: data.DataLike, assignments: Iterable[str]) -> dict:
    """Options of a data set, as typed on the command line.

    Args:
        name: a data set, as of `Recipe`.
        assignments: texts "option=value".

    Returns:
        Dictionary of option -> value.

    Raises:
        ValueError: a text has no "=", or there is no such data set.

    Example:

    >>> parse_data_options("images", ["path=2024", "size=32"])
    {'path': '2024', 'size': 32}
    """
    options = {}
    for assignment in assignments:
        option, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"data-option: {assignment!r} must read option=value")
        options[option] = _parse_data_option(name, option, text)
    return options


def _parse_data_option(name, option, text):
    """The value of an option; for one that takes text, such as a path, the text itself."""
    kind = data.options(name)[option].annotation if option in data.options(name) else None
    if kind is str or (kind == str | None and text.lower() != "none"):
        return text
    return _parse(text)


def _parse(text):
    """The value of a text: none, true, false, a Python literal, or the text itself."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _number(name, value, low, high=float("inf")):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not low < value < high:
        wanted = f"a number above {low}" if high == float("inf") else f"a number between {low} and {high}"
        raise ValueError(f"{name} must be {wanted}, got {value!r}")


def _integer(name, value, low, high=INT32):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}")
    if value >= high:
        raise ValueError(f"{name} must be below {high}, got {value!r}")


def _json_number(value):
    """A number of NumPy's as one of Python's, for JSON."""
    if isinstance(value, numbers.Real) and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def _check_data(data_set, options):
    """Raise unless there is such a data set, with such options, of values that config.json can hold."""
    if not isinstance(options, dict):
        raise TypeError(f"data_options must be a dictionary, got {options!r}")
    data.check_options(data_set, options)
    for option, value in options.items():
        values = value if isinstance(value, tuple | list) else [value]
        if not all(isinstance(one, int | float) for one in values) and not isinstance(value, str | None):
            raise TypeError(f"data_options: {option} must be text, a number, numbers or None, got {value!r}")
    if not isinstance(data_set, str) and data.name_of(data_set) in data.names():
        name = data.name_of(data_set)
        if data.options(name) or data.info(name) is not data_set:
            raise ValueError(f"data: {name!r} is a data set of the package; give yours another name")


def _check_model(model, options):
    """Raise unless there is such a model that takes these options, of values that config.json can hold."""
    if not isinstance(options, dict):
        raise TypeError(f"model_options must be a dictionary, got {options!r}")
    function, name = find_model(model), _model_name(model)
    parameters = inspect.signature(function).parameters
    takes_any = not inspect.isclass(function) and any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    named = {key: one for key, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    missing = [key for key in FROM_THE_DATA if key not in named and not takes_any]
    if missing:
        raise ValueError(f"model: {name} must take image_shape and levels, but has no {' and no '.join(missing)}")
    known = {key: one for key, one in named.items() if key not in FROM_THE_DATA}
    for option, value in options.items():
        if option in FROM_THE_DATA or (option not in known and not takes_any):
            suggestion = did_you_mean(option, known)
            raise ValueError(f"model_options: {suggestion}{name} takes {', '.join(known)}, got {option!r}")
        if option in known:
            _check_kind(f"model_options.{option}", value, known[option].default)
    if function is models.MultiScalePixelRNN:
        _check_stage_options(options.get("options"))
    _check_sizes(options)
    try:
        json.dumps(options, default=_json_number)
    except (TypeError, ValueError) as error:
        raise TypeError(f"model_options must hold values that JSON can hold: {error}, got {options!r}") from error
    absent = [key for key, one in known.items() if one.default is one.empty and key not in options]
    if absent:
        raise ValueError(f"model_options: {name} needs {', '.join(absent)}")


def _check_kind(name, value, default):
    """Raise if a value is text or a number where the default shows that the other, or a truth value, is meant."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}")
    elif isinstance(default, numbers.Real) and isinstance(value, bool | str):
        raise ValueError(f"{name} must be a number, got {value!r}")


def _check_stage_options(options):
    """Raise if an option of a multi-scale model's stages is of the wrong kind."""
    known = {name: one for base in BASES.values() for name, one in inspect.signature(base).parameters.items()}
    for of_stage in options if isinstance(options, list | tuple) else [options]:
        for name, value in of_stage.items() if isinstance(of_stage, dict) else ():
            if name in known:
                _check_kind(f"model_options.options.{name}", value, known[name].default)


def _check_sizes(options):
    """Raise if a number in the options, or in those of a part of the model, is beyond what can be built."""
    if isinstance(options, list | tuple):
        for part in options:
            _check_sizes(part)
    elif isinstance(options, dict):
        for name, value in options.items():
            if isinstance(value, numbers.Real) and value > LARGEST_SIZES.get(name, float("inf")):
                raise ValueError(f"model_options: {name} must be at most {LARGEST_SIZES[name]}, got {value!r}")
            _check_sizes(value)


def _model_name(model):
    """The text that records a model: its name in `pixel_zoo.models`, or "package.module:name"."""
    if isinstance(model, str):
        return model
    name = getattr(model, "__name__", None)
    return name if name in model_names() and getattr(models, name) is model else reference_to("model", model)
