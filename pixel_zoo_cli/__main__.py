"""`python -m pixel_zoo_cli`, for a copy that is not installed."""

from pixel_zoo_cli.app import app

app()
