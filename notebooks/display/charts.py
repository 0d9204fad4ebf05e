"""Charts of results, drawn by matplotlib as SVG that takes the page's colours and fonts."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 40
LONGEST_LABEL = 30
INK = "#010203"
"""Stands for the page's own colour of text, which SVG calls currentColor."""
COLOURS = ("#2f7ed8", "#e08a00")
SETTINGS = {"svg.fonttype": "none", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
            "xtick.color": INK, "ytick.color": INK, "font.size": 10}  # fmt: skip


def chart_for(table: pa.Table) -> str | None:
    """Return a chart of a table whose first column names or dates its rows and whose second is a number; else None."""
    import pyarrow as pa

    if table.num_columns != 2 or not 2 <= table.num_rows <= 5000 or not _is_number(table.schema.types[1]):
        return None
    kind, (label, value) = table.schema.types[0], table.column_names
    try:
        labels, values = (column.to_pylist() for column in table.columns)
    except (ValueError, OverflowError):  # Dates that Python does not have: infinity, or a year before Christ.
        return None
    if pa.types.is_temporal(kind) and not pa.types.is_time(kind):
        points = sorted((at, number) for at, number in zip(labels, values, strict=True) if None not in (at, number))
        return _line(points, label, value) if len(points) > 1 else None
    names = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)
    if not names or table.num_rows > MOST_BARS or len(set(labels)) < len(labels):
        return None
    return bars(["NULL" if name is None else str(name) for name in labels], {value: [v or 0 for v in values]})


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def bars(labels: Sequence[str], values: Mapping[str, Sequence[Any]]) -> str:
    """Return horizontal bars, the first on top; several numbers of one label stand behind each other."""
    short = [_shortened(label) for label in labels]
    width = max(map(_width, short))

    def draw(axes: Axes) -> None:
        begin = [0.0] * len(short)
        for (name, numbers), colour in zip(values.items(), COLOURS, strict=False):
            lengths = [float(number) for number in numbers]
            axes.barh(range(len(short)), lengths, left=begin, color=colour, label=_text(name), height=0.7)
            begin = [before + length for before, length in zip(begin, lengths, strict=True)]
        axes.set_yticks(range(len(short)), short)
        axes.invert_yaxis()
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(_number)
        if len(values) == 1:
            axes.set_xlabel(_text(next(iter(values))))
        else:
            axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)

    above = 0.1 if len(values) == 1 else 0.4
    return _drawn(draw, 0.8 + above + 0.28 * len(short), left=(0.3 + 0.085 * width) / 7, below=0.6, above=above)


def _line(points: Sequence[tuple[Any, Any]], label: str, value: str) -> str:
    def draw(axes: Axes) -> None:
        numbers = [float(number) for _, number in points]
        axes.plot([at for at, _ in points], numbers, color=COLOURS[0], marker="." if len(points) < 60 else "")
        axes.set_xlabel(_text(label))
        axes.set_ylabel(_text(value))
        axes.yaxis.set_major_formatter(_number)
        for date in axes.get_xticklabels():
            date.set(rotation=30, ha="right")

    return _drawn(draw, 2.8, left=0.19, below=0.85)


def _drawn(draw: Callable[[Axes], None], height: float, *, left: float, below: float, above: float = 0.1) -> str:
    """Return a figure, 7 inches wide, as an SVG element; `left` is a share of that, the other lengths are inches."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The reader's browser has the letters that matplotlib's own font lacks: it draws the text, not matplotlib.
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure(figsize=(7, height))
        axes = figure.add_subplot()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        figure.subplots_adjust(left=left, right=0.93, top=1 - above / height, bottom=below / height)
        return _as_svg(figure)


def _as_svg(figure: Figure) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace("DejaVu Sans", "inherit")
    return f'<div class="quackllm-chart" style="max-width: 46em">{svg}</div>'


def _number(value: float, _: object = None) -> str:
    """Return a number as a person reads it, on an axis: 1,200,000,000, not 1.2 and far away 1e9."""
    return f"{value:,.10g}"


def _text(text: str) -> str:
    """Return a text that matplotlib takes for no formula."""
    return text.replace("$", r"\$")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return _text(line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…")


def _width(text: str) -> int:
    """Return how many columns a text takes where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
