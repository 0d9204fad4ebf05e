"""The losses of a run as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

INK = "#7d7d7d"
"""A grey that can be read on a white page and on a black one: the picture has no ground of its own."""
INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")


def plot_losses(history: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    """Draw the training and evaluation losses over the steps.

    Args:
        history: what the trainer logged: entries with `step` and `loss` or `eval_loss`.
        title: above the curve.
        path: the picture's file.
    """
    import matplotlib as mpl

    with mpl.rc_context(dict.fromkeys(INKED, INK)):
        _draw(history, title, path)


def _draw(history: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for key, label, style in (("loss", "training", "-"), ("eval_loss", "evaluation", "o--")):
        points = [(entry["step"], entry[key]) for entry in history if key in entry]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=f"{label}, last {points[-1][1]:.3f}", markersize=4)
    axes.set(xlabel="step", ylabel="loss (nats a token)")
    axes.set_title(title, loc="left")
    axes.grid(alpha=0.3)
    # Above the curve: a legend without a ground would be struck through by the grid.
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    figure.savefig(path, dpi=120, transparent=True)
