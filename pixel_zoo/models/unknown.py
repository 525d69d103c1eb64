"""What a model file holds that Keras does not know."""

import contextlib
import re
from collections.abc import Iterator


@contextlib.contextmanager
def in_one_line(way_out: str = "") -> Iterator[None]:
    """Raise a short error where Keras does not know a class or function: its own shows the whole configuration.

    Args:
        way_out: str, what else the user can do.

    Raises:
        ValueError: naming the class or function. Keras shows it as it is; a TypeError would be wrapped again.
    """
    try:
        yield
    except TypeError as error:
        found = re.search(r"Could not (?:locate|deserialize) (class|function) '(.*?)'", str(error))
        if found is None:
            raise
        kind, name = found.groups()
    else:
        return
    raise ValueError(
        f"the file holds the {kind} {name!r}, which is not known here: import the module that defines it first (see "
        f"docs/extending.md){way_out}"
    )
