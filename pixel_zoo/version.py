"""The version of the package, also for a copy that is not installed."""

VERSION = "0.1.0"
