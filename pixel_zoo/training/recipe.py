"""A recipe: everything that a training run is, as one small dataclass; recipe files, and overriding a field by hand."""

import ast
import dataclasses
import importlib.util
import inspect
import numbers
import pathlib
import traceback

from pixel_zoo import data, models
from pixel_zoo.checks import positive_integer

OPTIMIZERS = ("adam", "adamw", "rmsprop")
SCHEDULES = ("constant", "cosine")
GIVEN_BY_THE_DATA = ("image_shape", "levels")
OPTIONS = ("data_options", "model_options")
WORDS = {"none": None, "true": True, "false": False}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a training run is: data set, model, optimiser, schedule, length, and the figure that it aims at.

    Everything is checked here, before any work: a recipe that exists can be run.

    Args:
        data: name of a data set, one of `pixel_zoo.data.names()`. It gives the model its image shape and levels.
        data_options: its options, such as `{"path": "photos", "size": 32}` of "images"; nothing need lie there yet.
        model: name of a class in `pixel_zoo.models`, such as "PixelCNN" or "PixelRNN".
        model_options: the other arguments of that class, such as `{"filters": 32, "num_blocks": 15}`.
        optimizer: Keras's name of it: "adam", "adamw" or "rmsprop" (the paper's).
        learning_rate: its highest value, above 0.
        schedule: "constant", or "cosine": falls to 0 along half a cosine, over all steps of all epochs.
        warmup_steps: steps over which a "cosine" schedule first rises from 0 to `learning_rate`.
        weight_decay: share of the weights that a step takes off, times the learning rate; None leaves it to Keras
            (nothing, but 0.004 for "adamw").
        clip_norm: longest global norm of the gradient that is let through, or None.
        ema_momentum: momentum of the moving average of the weights with which the model is evaluated and saved, in
            (0, 1), or None for the weights themselves.
        batch_size: images a step; those of an epoch that fill no batch are left out, other ones each time.
        accumulation_steps: steps whose gradients are averaged for one update of the weights: for batches that memory
            does not hold. Schedules count steps, not updates.
        epochs: passes over the training split.
        patience: end training after so many epochs without fewer validation nats; None goes through all epochs.
        seed: of the initial weights, the order of the images and dropout.
        jit_compile: whether XLA compiles the training step; None leaves it to Keras (on a CPU under TensorFlow: no).
        mixed_precision: whether layers compute in bfloat16 while training, for accelerators with units for it. Weights,
            optimizer, logits and likelihood stay in float32, and so does all of the saved model.
        target: the figure aimed at, in words, with its unit, split and, where it matters, binarisation.
        source: where that figure stands: paper and table.

    Raises:
        ValueError, TypeError: an argument is not one of these; the message names it.

    Example:

    >>> Recipe(data="digits", model="PixelCNN", model_options={"filters": 8}, epochs=3).learning_rate
    0.001
    """

    data: str
    data_options: dict = dataclasses.field(default_factory=dict)
    model: str
    model_options: dict = dataclasses.field(default_factory=dict)
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
        _one_of("data", self.data, data.names())
        _check_data_options(self.data, self.data_options)
        _one_of("model", self.model, model_names())
        _check_options(self.model, self.model_options)
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _number("learning_rate", self.learning_rate, low=0)
        _one_of("schedule", self.schedule, SCHEDULES)
        _count("warmup_steps", self.warmup_steps)
        if self.warmup_steps and self.schedule != "cosine":
            raise ValueError(f"warmup_steps needs schedule='cosine', got {self.warmup_steps} and {self.schedule!r}")
        if self.weight_decay is not None:
            _number("weight_decay", self.weight_decay, low=0)
        if self.clip_norm is not None:
            _number("clip_norm", self.clip_norm, low=0)
        if self.ema_momentum is not None:
            _number("ema_momentum", self.ema_momentum, low=0, high=1)
        positive_integer("batch_size", self.batch_size)
        positive_integer("accumulation_steps", self.accumulation_steps)
        positive_integer("epochs", self.epochs)
        if self.patience is not None:
            positive_integer("patience", self.patience)
        _count("seed", self.seed, high=2**32)
        _one_of("jit_compile", self.jit_compile, (None, True, False))
        _one_of("mixed_precision", self.mixed_precision, (True, False))
        if self.mixed_precision and "dtype" in self.model_options:
            raise ValueError(f"mixed_precision sets the model's dtype, got {self.model_options['dtype']!r} for it too")
        for name in ("target", "source"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string, got {getattr(self, name)!r}")


def model_names():
    """Names of the classes that a recipe's `model` may be, sorted."""
    return sorted(
        name for name, value in vars(models).items() if inspect.isclass(value) and value is not models.PixelModel
    )


def load_recipes(path):
    """Load the recipes of a Python file, which may lie anywhere.

    Args:
        path: the file; each of its public module-level variables that is a `Recipe` is one.

    Returns:
        Dictionary of name -> `Recipe`, in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no Python file, it fails when run (the message says how, and in which line), or no recipe
            is in it.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "mine.py")
    >>> _ = path.write_text("import pixel_zoo.training as t\\ntiny = t.Recipe(data='digits', model='PixelCNN')\\n")
    >>> list(load_recipes(path))
    ['tiny']
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"recipe: there is no file {str(path)!r}")
    if path.suffix != ".py":
        raise ValueError(f"recipe: {str(path)!r} is not a Python file (.py)")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's file raises becomes one line that says where
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f" in line {lines[-1]}" if lines else ""
        raise ValueError(f"recipe: {str(path)!r} fails{where}: {type(error).__name__}: {error}") from error
    recipes = {name: value for name, value in vars(module).items() if isinstance(value, Recipe) and name[0] != "_"}
    if not recipes:
        raise ValueError(f"recipe: {str(path)!r} holds no Recipe")
    return recipes


def override(recipe, *assignments):
    """Return `recipe` with some fields changed, each by a text as it is typed on a command line.

    Args:
        recipe: the `Recipe` to start from.
        *assignments: texts "field=value", or "model_options.name=value" for one option of the model, and
            "data_options.name=value" for one of the data set. Values are read as Python literals (none, true and false
            also in small letters), for a field or an option that holds text as they are.

    Returns:
        A new `Recipe`.

    Raises:
        ValueError: a text has no "=", names no field, or gives a value that the field does not take.

    Example:

    >>> recipe = Recipe(data="digits", model="PixelCNN")
    >>> override(recipe, "learning_rate=3e-4", "model_options.filters=16").model_options
    {'filters': 16}
    """
    fields = {field.name: field.type for field in dataclasses.fields(Recipe)}
    changes = {name: dict(getattr(recipe, name)) for name in OPTIONS}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        field, _, option = name.partition(".")
        if not equals:
            raise ValueError(f"set: {assignment!r} must read field=value")
        if field not in fields or bool(option) != (field in OPTIONS):
            names = ", ".join(f"{name}.NAME" if name in OPTIONS else name for name in fields)
            raise ValueError(f"set: a recipe has no field {name!r}; it has {names}")
        if field == "data_options":
            changes[field][option] = _parse_data_option(changes.get("data", recipe.data), option, text)
        elif option:
            changes[field][option] = _parse(text)
        else:
            changes[field] = text if fields[field] is str else _parse(text)
    return dataclasses.replace(recipe, **changes)


def parse_data_options(name, assignments):
    """Options of a data set, as they are typed on a command line.

    Args:
        name: name of a data set, one of `pixel_zoo.data.names()`.
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
    """The value of an option: of one that takes text, such as a path, the text itself."""
    kind = data.options(name)[option].annotation if option in data.options(name) else None
    if kind is str or (kind == str | None and text.lower() != "none"):
        return text
    return _parse(text)


def _parse(text):
    """The value that a text stands for: none, true, false, a Python literal, or the text itself."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, got {value!r}")


def _number(name, value, low, high=float("inf")):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not low < value < high:
        wanted = f"a number above {low}" if high == float("inf") else f"a number between {low} and {high}"
        raise ValueError(f"{name} must be {wanted}, got {value!r}")


def _count(name, value, high=float("inf")):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 <= value < high:
        wanted = "at least 0" if high == float("inf") else f"at least 0 and below {high}"
        raise ValueError(f"{name} must be an integer of {wanted}, got {value!r}")


def _check_data_options(name, options):
    """Raise unless `options` is a dictionary of options that the data set has, of values that config.json can hold."""
    if not isinstance(options, dict):
        raise TypeError(f"data_options must be a dictionary, got {options!r}")
    data.check_options(name, options)
    for option, value in options.items():
        if not isinstance(value, str | int | float | None):
            raise TypeError(f"data_options: {option} must be text, a number or None, got {value!r}")


def _check_options(model, options):
    """Raise unless `options` is a dictionary of arguments that the class named `model` takes."""
    if not isinstance(options, dict):
        raise TypeError(f"model_options must be a dictionary, got {options!r}")
    arguments = inspect.signature(getattr(models, model)).parameters.values()
    known = [argument.name for argument in arguments if argument.kind is argument.POSITIONAL_OR_KEYWORD]
    known = [name for name in known if name not in GIVEN_BY_THE_DATA]
    for name in options:
        if name not in known:
            raise ValueError(f"model_options: {model} takes {', '.join(known)}, got {name!r}")
