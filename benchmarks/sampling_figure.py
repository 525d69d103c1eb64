"""The figure of docs/performance.md: the time that an image takes against the batch."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

WIDTH, PANEL_HEIGHT, DPI = 7.0, 2.3, 200  # inches, inches, pixels an inch
# Colours of Okabe and Ito, which readers with any colour vision tell apart; markers differ too.
LINES = {
    "one pass a value": ("#707070", "x", lambda row: row["slow"]),
    "generate": ("#D55E00", "o", lambda row: row["generate"].get("plain")),
    "generate, XLA": ("#0072B2", "s", lambda row: row["generate"].get("xla")),
    "forward pass": ("#000000", "^", lambda row: row["forward"]),
}
LABEL_GAP = 0.085  # of the height of a panel


def draw(results, path):
    """Draw a panel for each model and write them to a file.

    Args:
        results: dictionary from the name of a model to its rows, as `measure` of `sampling.py` returns them.
        path: the file to write, a PNG.
    """
    columns = min(2, len(results))
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(WIDTH, PANEL_HEIGHT * rows + 0.3), dpi=DPI, layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(results) :]:
        panel.set_visible(False)
    for panel, (name, of_model) in zip(panels.flat, results.items(), strict=False):
        _draw_panel(panel, name, of_model)
    for panel in panels.flat:
        _label(panel)  # the limits are those of all panels
    figure.supxlabel("images in a batch", fontsize=9)
    figure.supylabel("time for each image", fontsize=9)
    figure.savefig(path)


def _draw_panel(panel, name, rows):
    batches = [row["batch"] for row in rows]
    for label, (colour, marker, seconds) in LINES.items():
        times = [seconds(row) for row in rows]
        if None not in times:
            costs = np.divide(times, batches)
            panel.loglog(batches, costs, color=colour, marker=marker, markersize=4, linewidth=1.5, label=label)
    panel.set_title(name.split(",")[0], fontsize=9, loc="left")
    panel.set_xticks(batches, batches, fontsize=8)
    panel.set_xticks([], minor=True)
    panel.set_xlim(batches[0] * 0.75, batches[-1] * 1.35)
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g} s" if y >= 1 else f"{y * 1e3:g} ms"))
    panel.tick_params(axis="y", labelsize=8)
    panel.grid(True, which="major", color="#DDDDDD", linewidth=0.5)
    panel.spines[["top", "right"]].set_visible(False)


def _label(panel):
    """Write the name of each line beside its end; names that would overlap move apart."""
    low, high = np.log(panel.get_ylim())
    ends = sorted((np.log(line.get_ydata()[-1]), line) for line in panel.lines)
    heights = [(end - low) / (high - low) for end, _ in ends]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + LABEL_GAP)
    for height, (_, line) in zip(heights, ends, strict=True):
        panel.text(
            1.01, height, line.get_label(), color=line.get_color(), fontsize=8, va="center", transform=panel.transAxes
        )
