"""The pictures and charts of the playground."""

import base64
import io

import numpy as np

from pixel_zoo.pictures import UNKNOWN, rows_appearing, to_colours
from pixel_zoo.pictures.measurements import ROUNDING

COLUMNS = 4
FRAMES = 14  # at most, of an animation
CHANNELS = {1: ("#1f77b4",), 3: ("#d62728", "#2ca02c", "#1f77b4")}
TRUE = "#ff7f0e"
TRUE_RGB = (255, 127, 14)
LIGHT = (255, 210, 0)
STEP_SIDE = 448  # pixels, at most, of the picture of a step


def filling_in(completed, known, levels):
    """Pictures of completions that are filled in row by row; the last one shows whole images.

    Args:
        completed: integers 0..levels-1 (n, height, width, colours).
        known: bool (height, width), True where a pixel is given.
        levels: int.

    Returns:
        List of data URIs of PNGs.

    Example:
    >>> pictures = filling_in(np.zeros((8, 8, 8, 1), int), np.zeros((8, 8), bool), levels=2)
    >>> len(pictures), pictures[0][:22]
    (9, 'data:image/png;base64,')
    """
    frames = rows_appearing(completed, COLUMNS, levels, known)
    step = -(-len(frames) // FRAMES)
    return [data_uri(frame) for frame in frames[::-step][::-1]]


def data_uri(picture):
    """Encode a uint8 array (rows, columns, 3) as a data URI of a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def heat_map(nats):
    """A picture with one pixel for each value: black for 0, bright for the largest.

    Args:
        nats: float array (height, width).

    Returns:
        Data URI of a PNG.
    """
    from matplotlib import colormaps

    return data_uri(colormaps["magma"](nats / max(nats.max(), 1e-6), bytes=True)[..., :3])


def step(image, levels, shown, pixel, influence=None, block=(1, 1)):
    """A picture of an image while it is drawn: the pixel drawn last is framed, pixels that come later are tinted.

    Args:
        image: integers 0..levels-1 (height, width, colours).
        levels: int.
        shown: bool (height, width), the pixels that are there.
        pixel: (row, column) of the pixel, or of the first pixel of the block, that has just been drawn.
        influence: float array (height, width) of 0..1, as of `pixel_zoo.pictures.receptive_field`, or None. Pixels of
            influence are lit, on a logarithmic scale.
        block: (rows, columns) of the pixels that are framed.

    Returns:
        Data URI of a PNG.

    Example:
    >>> step(np.zeros((4, 4, 1), int), 2, np.eye(4, dtype=bool), (1, 1))[:22]
    'data:image/png;base64,'
    """
    (colours,) = to_colours(image[None], levels)
    repeats = colours.shape[1] // shown.shape[1]  # channels are side by side
    picture = np.where(np.tile(shown, (1, repeats))[..., None], colours, UNKNOWN)
    if influence is not None:
        depth = np.log(np.maximum(influence, ROUNDING) / ROUNDING) / np.log(1 / ROUNDING)
        light = np.where(influence > ROUNDING, 0.2 + 0.6 * depth, 0)
        light = np.tile(light, (1, repeats))[..., None]
        picture = (1 - light) * picture + light * np.array(LIGHT)
    side = max(3, STEP_SIDE // max(picture.shape[:2]))
    picture = picture.astype("uint8").repeat(side, axis=0).repeat(side, axis=1)
    (row, first), width, border = pixel, shown.shape[1], max(1, side // 8)
    for column in range(first, first + repeats * width, width):
        cell = picture[row * side : (row + block[0]) * side, column * side : (column + block[1]) * side]
        inside = cell[border:-border, border:-border].copy()
        cell[:] = TRUE_RGB
        cell[border:-border, border:-border] = inside
    return data_uri(picture)


def bars(log_probabilities, values):
    """A bar chart of a pixel's distribution for each colour; the bar of its own value is highlighted.

    Args:
        log_probabilities: float array (colours, levels).
        values: integers (colours,), the values of the pixel.

    Returns:
        str, SVG. Each chart is scaled to its highest bar.

    Example:
    >>> chart = bars(np.log([[0.5, 0.25, 0.25]]), [1])
    >>> chart.count("<rect"), "value 1: 0.25" in chart
    (3, True)
    """
    width, height, below = 360, 90, 18
    charts = []
    for index, (probabilities, value) in enumerate(zip(np.exp(log_probabilities), values, strict=True)):
        colours = CHANNELS.get(len(values), CHANNELS[1])
        top = index * (height + below)
        step = width / len(probabilities)
        for level, probability in enumerate(probabilities):
            tall = height * probability / probabilities.max()
            fill = TRUE if level == value else colours[index % len(colours)]
            charts.append(
                f'<rect x="{level * step:.2f}" y="{top + height - tall:.2f}" width="{max(step * 0.9, 1):.2f}" '
                f'height="{tall:.2f}" fill="{fill}"><title>value {level}: {probability:.3g}</title></rect>'
            )
        charts.append(
            f'<text x="0" y="{top + height + 13}" font-size="12" fill="currentColor">0</text>'
            f'<text x="{width}" y="{top + height + 13}" font-size="12" fill="currentColor" text-anchor="end">'
            f"{len(probabilities) - 1}</text>"
        )
    box = f"0 0 {width} {len(values) * (height + below)}"
    return f'<svg viewBox="{box}" role="img" style="width: 100%; max-width: {width}px">{"".join(charts)}</svg>'
