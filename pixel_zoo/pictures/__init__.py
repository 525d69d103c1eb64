"""Pictures: image grids, loss curves, and pictures that show how a model works."""

from pixel_zoo.anomaly import surprise, surprise_of
from pixel_zoo.pictures.codec import Codec
from pixel_zoo.pictures.display import show
from pixel_zoo.pictures.inspection import inspect
from pixel_zoo.pictures.layout import (
    BACKGROUND,
    UNKNOWN,
    can_draw,
    completions,
    grid,
    rows_appearing,
    save,
    save_animation,
    titles_of_samples,
    to_colours,
)
from pixel_zoo.pictures.loss_curve import save_loss_curve
from pixel_zoo.pictures.measurements import check_pixel, distribution, receptive_field

__all__ = [
    "BACKGROUND",
    "UNKNOWN",
    "Codec",
    "can_draw",
    "check_pixel",
    "completions",
    "distribution",
    "grid",
    "inspect",
    "receptive_field",
    "rows_appearing",
    "save",
    "save_animation",
    "save_loss_curve",
    "show",
    "surprise",
    "surprise_of",
    "titles_of_samples",
    "to_colours",
]
