"""How every benchmark tells what it measured: a table, a picture under docs/pictures, and JSON under .bench/results."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
RESULTS = ROOT / ".bench" / "results"
OURS, OTHERS, INK = "#1b7837", "#9aa5b1", "#222222"


@dataclass(frozen=True)
class Panel:
    """One axis of a picture: a bar for each name.

    Args:
        label: what the bars count, with its unit.
        values: what is drawn.
        log: the axis is logarithmic, for values of several orders.
        limit: a value drawn as a line, which no bar is expected to pass.
    """

    label: str
    values: Mapping[str, float]
    log: bool = False
    limit: float | None = None


def tell(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; all columns but the first are numbers."""
    table = Table(title=f"{title}\n{machine()}", box=None)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    for row in rows:
        table.add_row(*row)
    Console(width=max(100, Console().width)).print(table)


def keep(name: str, measured: Any) -> None:
    """Write what was measured, with the machine, as `.bench/results/NAME.json`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), "measured": measured}, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text, "utf-8")


def draw(name: str, title: str, panels: Sequence[Panel]) -> None:
    """Write `docs/pictures/NAME.png`: horizontal bars on white, ours in green."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    height = 1.2 + 0.42 * max(len(panel.values) for panel in panels)
    with pyplot.rc_context({"font.size": 11, "axes.edgecolor": INK, "text.color": INK, "axes.labelcolor": INK}):
        figure, axes = pyplot.subplots(1, len(panels), figsize=(3.4 + 4.2 * len(panels), height), squeeze=False)
        for axis, panel in zip(axes[0], panels, strict=True):
            _bars(axis, panel)
        figure.suptitle(title, fontsize=12)
        figure.tight_layout()
        PICTURES.mkdir(parents=True, exist_ok=True)
        figure.savefig(PICTURES / f"{name}.png", dpi=110, facecolor="white")
        pyplot.close(figure)


def _bars(axis: Any, panel: Panel) -> None:
    names = list(panel.values)[::-1]
    values = [panel.values[name] for name in names]
    bars = axis.barh(names, values, color=[OURS if is_ours(name) else OTHERS for name in names], height=0.62)
    axis.bar_label(bars, [short(value) for value in values], padding=4)
    if panel.log:
        axis.set_xscale("log")
    axis.set_xlim(right=max(values) * (4 if panel.log else 1.22))
    if panel.limit is not None:
        axis.axvline(panel.limit, color=INK, linewidth=1, linestyle=":")
    axis.set_xlabel(panel.label)
    axis.spines[["top", "right"]].set_visible(False)


def is_ours(name: str) -> bool:
    """Whether a contender's name is one of quackllm's."""
    return name.startswith("quackllm")


def short(value: float) -> str:
    """A number as it is read: 12,345 or 12.3 or 0.12."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine() -> str:
    """The machine in words."""
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {platform.system()}"
