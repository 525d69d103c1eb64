"""The command line, run in the tests' own process."""

import pytest

from pixel_zoo_cli import app


def call(*arguments):
    """Run the command line; returns its exit code."""
    with pytest.raises(SystemExit) as stop:
        app([str(argument) for argument in arguments])
    return stop.value.code


def refused(capsys, *arguments):
    """Run a command that must be refused; returns its one line."""
    capsys.readouterr()
    assert call(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("pixel-zoo: "), error
    return error
