"""Callbacks that watch and record a run while `fit` trains."""
