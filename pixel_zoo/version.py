"""The version of the package, which a copy that is not installed knows too."""

VERSION = "0.1.0"
