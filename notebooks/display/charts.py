"""Charts of results, drawn by matplotlib as SVG in the page's colors and fonts."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_BARS = 40
MAX_LABEL_CHARACTERS = 30
# A placeholder for the page's text color, which SVG calls currentColor.
INK = "#010203"
METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
COLORS = ("#2f7ed8", "#e08a00")
SETTINGS = {"svg.fonttype": "none", "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
            "xtick.color": INK, "ytick.color": INK, "font.size": 10}  # fmt: skip


def chart_for(table: pa.Table) -> str | None:
    """Return a chart of a table of a name or date and a number, in either order; None for other tables."""
    import pyarrow as pa

    if table.num_columns != 2 or not 2 <= table.num_rows <= 5000:
        return None
    if _is_number(table.schema.types[0]) and not _is_number(table.schema.types[1]):
        table = table.select([1, 0])
    if not _is_number(table.schema.types[1]):
        return None
    label_type, (label, value) = table.schema.types[0], table.column_names
    try:
        labels, values = (column.to_pylist() for column in table.columns)
    except (ValueError, OverflowError):  # Dates that Python does not have: infinity, or a year before Christ.
        return None
    if pa.types.is_temporal(label_type) and not pa.types.is_time(label_type):
        points = sorted(point for point in zip(labels, values, strict=True) if None not in point)
        return _line(points, label, _axis_title(value)) if len(points) > 1 else None
    are_names = (
        pa.types.is_string(label_type) or pa.types.is_large_string(label_type) or pa.types.is_integer(label_type)
    )
    if not are_names or table.num_rows > MAX_BARS or len(set(labels)) < len(labels):
        return None
    names = ["NULL" if name is None else str(name) for name in labels]
    return bars(names, {_axis_title(value): [number or 0 for number in values]})


def _axis_title(column: str) -> str:
    """Return what to write at the axis of a column's numbers: an expression without an alias is no title."""
    if column == "count_star()":
        return "count"
    return column if len(column) <= MAX_LABEL_CHARACTERS else ""


def _is_number(column_type: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(column_type) or pa.types.is_floating(column_type) or pa.types.is_decimal(column_type)
    )


def bars(labels: Sequence[str], values: Mapping[str, Sequence[Any]]) -> str:
    """Return a chart of horizontal bars, the first on top.

    Args:
        labels: one per bar.
        values: the numbers of each series by its name; the series of a bar are stacked.
    """
    short = [_shorten(label) for label in labels]
    width = max(map(_width, short))

    def draw(axes: Axes) -> None:
        ends = [0.0] * len(short)
        for (name, numbers), color in zip(values.items(), COLORS, strict=False):
            lengths = [float(number) for number in numbers]
            axes.barh(range(len(short)), lengths, left=ends, color=color, label=_escape_math(name), height=0.7)
            ends = [end + length for end, length in zip(ends, lengths, strict=True)]
        axes.set_yticks(range(len(short)), short)
        axes.invert_yaxis()
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(_format_number)
        if len(values) == 1:
            axes.set_xlabel(_escape_math(next(iter(values))))
        else:
            axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)

    above = 0.1 if len(values) == 1 else 0.4
    return _draw_svg(draw, 0.8 + above + 0.28 * len(short), left=(0.3 + 0.085 * width) / 7, below=0.6, above=above)


def _line(points: Sequence[tuple[Any, Any]], label: str, value: str) -> str:
    def draw(axes: Axes) -> None:
        numbers = [float(number) for _, number in points]
        axes.plot([at for at, _ in points], numbers, color=COLORS[0], marker="." if len(points) < 60 else "")
        axes.set_xlabel(_escape_math(label))
        axes.set_ylabel(_escape_math(value))
        axes.yaxis.set_major_formatter(_format_number)
        if min(numbers) >= 0:
            axes.set_ylim(bottom=0)  # Else a change of 1 % looks like one of 100 %.
        for date in axes.get_xticklabels():
            date.set(rotation=30, ha="right")

    return _draw_svg(draw, 2.8, left=0.19, below=0.85)


def _draw_svg(draw: Callable[[Axes], None], height: float, *, left: float, below: float, above: float = 0.1) -> str:
    """Draw a figure 7 inches wide, and return it as an SVG element.

    Args:
        draw: draws into the axes.
        height: in inches.
        left: the margin for labels, a share of the width.
        below: the margin below the axes, in inches.
        above: the margin above the axes, in inches.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The browser draws the text, so characters that matplotlib's font lacks are no problem.
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure(figsize=(7, height))
        axes = figure.add_subplot()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        figure.subplots_adjust(left=left, right=0.93, top=1 - above / height, bottom=below / height)
        return _as_svg(figure)


def _as_svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    # A notebook that is not trusted shows no SVG, but its words: those of the chart suffice.
    svg = METADATA.sub("", buffer.getvalue())
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace("DejaVu Sans", "inherit")
    return f'<div class="quackllm-chart" style="max-width: 46em">{svg}</div>'


def _format_number(value: float, _: object = None) -> str:
    """Return a number with thousands separators: 1,200,000,000, not 1.2 with 1e9 beside the axis."""
    return f"{value:,.10g}"


def _escape_math(text: str) -> str:
    """Return a text that matplotlib does not read as a formula."""
    return text.replace("$", r"\$")


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return _escape_math(line if len(line) <= MAX_LABEL_CHARACTERS else line[: MAX_LABEL_CHARACTERS - 1] + "…")


def _width(text: str) -> int:
    """Return the width of a text in columns; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
