"""The pictures and charts of the playground."""

import base64
import io

import numpy as np

from pixel_zoo.pictures import rows_appearing

COLUMNS = 4
FRAMES = 14  # at most, of an animation
CHANNELS = {1: ("#1f77b4",), 3: ("#d62728", "#2ca02c", "#1f77b4")}
TRUE = "#ff7f0e"


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
