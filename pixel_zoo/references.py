"""Objects named by text, "package.module:name", so that an addition of a user needs no list inside the package."""

import importlib
import os
import sys
from typing import Any, TypeGuard

from pixel_zoo.checks import did_you_mean


def is_reference(value: object) -> TypeGuard[str]:
    """Whether a value is text of the form "package.module:name".

    Example:

    >>> is_reference("my_package.nets:MyNet"), is_reference("PixelCNN")
    (True, False)
    """
    return isinstance(value, str) and ":" in value


def imported(argument: str, reference: str) -> Any:
    """Import the object that "package.module:name" names.

    The module is looked up as Python's `import` does, and in the current directory last. Importing runs its code.

    Args:
        argument: name of the argument that holds the reference, for error messages.
        reference: the module, a colon, and the name of the object in it, with dots inside a class.

    Raises:
        ValueError: the text has no such form, there is no such module or name, or the module fails when imported.

    Example:

    >>> imported("model", "pixel_zoo.models:PixelCNN").__name__
    'PixelCNN'
    """
    module_name, _, name = reference.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *name.split("."))):
        raise ValueError(f"{argument} must read 'package.module:name', got {reference!r}")
    if os.getcwd() not in sys.path:
        sys.path.append(
            os.getcwd()
        )  # a console script, unlike `python -m`, does not look there; last, it hides nothing
    importlib.invalidate_caches()  # the file may be newer than Python's listing of its directory
    try:
        found = importlib.import_module(module_name)
    except Exception as error:  # report any error of a user's module in one line that names it
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"{argument}: there is no module {error.name!r}, installed or in the current directory, "
                f"got {reference!r}"
            ) from error
        raise ValueError(f"{argument}: {module_name!r} fails when imported: {type(error).__name__}: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(
                f"{argument}: {did_you_mean(part, vars(found))}{module_name!r} has no {name!r}, got {reference!r}"
            )
        found = getattr(found, part)
    return found


def reference_to(argument: str, thing: Any) -> str:
    """The text "package.module:name" of a class or function.

    Args:
        argument: name of the argument that holds it, for error messages.
        thing: the class or function.

    Raises:
        TypeError: it has no name, as a `functools.partial`.

    Example:

    >>> reference_to("model", imported)
    'pixel_zoo.references:imported'
    """
    try:
        return f"{thing.__module__}:{thing.__qualname__}"
    except AttributeError:
        raise TypeError(f"{argument} must be a class or a function that has a name, got {thing!r}") from None
