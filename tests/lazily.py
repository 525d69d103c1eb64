"""Modules that take seconds to import, such as gradio, are imported by the first test that uses them."""

import importlib


class Lazily:
    """Stands for a module of this name: nothing is imported while tests are collected, by every worker."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        if attribute.startswith("_"):  # what pytest looks for in all that a test module holds
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)
