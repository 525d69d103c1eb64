"""Every function and class that users import has complete type annotations."""

import importlib
import inspect
import pathlib

import pixel_zoo

ROOMS = (
    "anomaly",
    "compression",
    "data",
    "layers",
    "likelihoods",
    "models",
    "pictures",
    "playground",
    "sampling",
    "serving",
    "training",
    "zoo",
)


def public_objects():
    """Yield the functions and classes that the package and its rooms export."""
    for module in (pixel_zoo, *(importlib.import_module(f"pixel_zoo.{room}") for room in ROOMS)):
        exported = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in exported:
            value = getattr(module, name)
            if callable(value) and value.__module__.startswith("pixel_zoo"):
                yield value


def functions_of(value):
    """Yield the functions of a public object: itself, or the public methods that a class defines in this package."""
    if not inspect.isclass(value):
        yield value
        return
    for owner in value.__mro__:
        if not owner.__module__.startswith("pixel_zoo"):
            continue
        for name, member in vars(owner).items():
            function = (
                member.fget if isinstance(member, property) else inspect.unwrap(getattr(member, "__func__", member))
            )
            is_method = inspect.isfunction(function) and function.__name__ == name  # not the default of a field
            if is_method and (name in ("__init__", "__call__") or not name.startswith("_")):
                yield function


def is_annotated(function):
    """Return whether every parameter but `self` or `cls`, and the result, have an annotation."""
    signature = inspect.signature(function)
    parameters = [value for name, value in signature.parameters.items() if name not in ("self", "cls")]
    annotations = [parameter.annotation for parameter in parameters] + [signature.return_annotation]
    return inspect.Signature.empty not in annotations


def test_public_functions_and_methods_are_annotated():
    functions = {function for value in public_objects() for function in functions_of(value)}
    missing = {function.__qualname__ for function in functions if not is_annotated(function)}
    assert not missing, "annotate every parameter and the result"


def test_a_function_without_an_annotation_is_found():
    class Public:
        def complete(self, images: list) -> None: ...

        def incomplete(self, images) -> None: ...

        @property
        def size(self): ...

    Public.__module__ = "pixel_zoo.models"
    assert [function.__name__ for function in functions_of(Public) if not is_annotated(function)] == [
        "incomplete",
        "size",
    ]


def test_type_checkers_read_the_annotations():
    assert pathlib.Path(pixel_zoo.__file__).with_name("py.typed").exists()
