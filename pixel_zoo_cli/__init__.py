"""The command line, `pixel-zoo train | evaluate | sample | complete | inspect | export | list | recipes | ...`.

It lies outside `pixel_zoo`, and imports it inside the commands: `--help`, shell completion and a mistyped option do not
wait for Keras.
"""

from pixel_zoo_cli.app import app

__all__ = ["app"]
