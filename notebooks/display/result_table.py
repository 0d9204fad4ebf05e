"""The result of a SQL cell: shown as a table, and what we know the meaning of as what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ... import Failure, Response, Usage
from ...udf.functions.arrow import RESPONSE, messages_from_rows
from ...udf.functions.introspection import USAGE
from ...udf.value_text import plain_arrow, plain_column, text_rows, written
from .answers import FINISH_NOTES, format_conversation
from .html import AMBER, LINE, WRAP, Bundle, div, mime_bundle, muted

if TYPE_CHECKING:
    import pandas

MAX_ROWS = 50
"""How many rows a notebook shows; all of them are there."""
MAX_CHARACTERS = 2000
"""How much of one value."""
NUMBERED = re.compile(r"(?i:(^|_)(id|year|code|zip|phone|no|number)$)|[a-z](Id|ID|Year|Code)$|[号年]$")
"""Names of columns whose numbers name things: a customer 10482 is no 10,482."""
LONG_NUMBER = re.compile(r"^(-?)(\d{5,})(\.\d+)?$")
WORD = re.compile(r"[!-\u2e7f]+")
"""What has no place to break; Chinese breaks between any two characters."""
UNBROKEN_CHARACTERS = 20
"""Words of so many characters stay whole where a table is wider than the page; longer ones are broken."""
CELL = f"padding: .25em .7em; border-bottom: 1px solid {LINE}; vertical-align: top; max-width: 36em; {WRAP}"


class Result:
    """The rows of a statement.

    Args:
        rows: as `run_query` returns them.
        notes: the statement's warnings.
    """

    def __init__(self, rows: pa.Table, notes: Iterable[str] = ()) -> None:
        self._rows = rows
        self.arrow = plain_arrow(rows)
        self.notes = [*notes]

    def df(self) -> pandas.DataFrame:
        """Return the rows as a pandas DataFrame."""
        return self.arrow.to_pandas()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as other libraries take them."""
        return self.arrow.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __repr__(self) -> str:
        return self.bundle()["text/plain"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return self.bundle()

    def bundle(self) -> Bundle:
        """Return how it looks: a single turn as its conversation, what was spent with a picture, else a table."""
        names = set(self.arrow.column_names)
        if names == {field.name for field in RESPONSE} and len(self) == 1:
            return _with_notes(format_conversation(read_response(self.arrow.to_pylist()[0])), self.notes)
        picture = _usage_note(self.arrow) if names == {field.name for field in USAGE} and len(self) else ""
        return _with_notes(mime_bundle(picture + table_html(self._rows), table_text(self._rows)), self.notes)


def read_response(row: dict[str, Any]) -> Response:
    """Return the Response that a STRUCT of one holds."""
    usage, error = row["usage"] or {}, row["error"]
    return Response(
        output=row["output"],
        reasoning=row["reasoning"],
        error=Failure(error["code"], error["message"], bool(error["retryable"])) if error else None,
        model=row["model"] or "",
        history=messages_from_rows(row["history"]),
        finish_reason=row["finish_reason"],
        usage=Usage(usage.get("input_tokens") or 0, usage.get("output_tokens") or 0),
        seconds=row["seconds"] or 0.0,
    )


def _with_notes(what: Bundle, notes: list[str]) -> Bundle:
    html = "".join(div(escape(note), f"color: {AMBER}; {WRAP}", "note") for note in notes)
    text = "".join(f"\nwarning: {note}" for note in notes)
    return mime_bundle(what["text/html"] + html, what["text/plain"] + text)


def table_text(table: pa.Table) -> str:
    """Return a table as DuckDB draws it."""
    with written(table) as relation:
        return str(relation).rstrip("\n")


def table_html(table: pa.Table) -> str:
    """Return a table's first rows as HTML, and how many there are."""
    shown = table.slice(0, MAX_ROWS)
    numeric = [
        pa.types.is_integer(data_type) or pa.types.is_floating(data_type) or pa.types.is_decimal(data_type)
        for data_type in plain_arrow(table.slice(0, 0)).schema.types
    ]
    texts = [*zip(*text_rows(shown), strict=True)] or [()] * table.num_columns
    head = "".join(map(_header, table.column_names, numeric, map(_longest_word, texts)))
    separated = [
        is_number and not NUMBERED.search(name) for name, is_number in zip(table.column_names, numeric, strict=True)
    ]
    cells = [
        _answers(column) if _holds_answers(column.type) else map(_separated if with_separators else _text, values)
        for column, values, with_separators in zip(shown.columns, texts, separated, strict=False)
    ]
    rows = "".join(f"<tr>{''.join(map(_cell, row, numeric))}</tr>" for row in zip(*cells, strict=True))
    count = "1 row" if table.num_rows == 1 else f"{table.num_rows:,} rows"
    text = f"{count}, the first {MAX_ROWS} of them" if table.num_rows > MAX_ROWS else count
    framed = f'<table style="border-collapse: collapse"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return div(div(framed, "overflow-x: auto") + muted(text), css_class="table")


def _longest_word(texts: Iterable[str | None]) -> int:
    """Return the length of a column's longest word that is not to be broken, in characters."""
    words = WORD.findall("\n".join(text for text in texts if text))
    return min(max(map(len, words), default=0), UNBROKEN_CHARACTERS)


def _header(name: str, is_number: bool, word: int) -> str:
    # A header breaks between words, never inside of one.
    style = f"{CELL}; overflow-wrap: normal; white-space: normal; text-align: {'right' if is_number else 'left'}"
    style += f"; min-width: {word}ch"
    return f'<th style="{style}">{escape(name)}</th>'


def _cell(html: str, is_number: bool) -> str:
    return f'<td style="{CELL}; text-align: {"right" if is_number else "left"}">{html}</td>'


def _text(text: str | None) -> str:
    return '<span style="opacity: .5">NULL</span>' if text is None else _clipped(text)


def _separated(text: str | None) -> str:
    """Return a number with separators between thousands, from five digits on: 2024 may be a year."""
    match = LONG_NUMBER.match(text or "")
    return _text(f"{match[1]}{int(match[2]):,}{match[3] or ''}" if match else text)


def _holds_answers(data_type: pa.DataType) -> bool:
    names = {field.name for field in data_type} if pa.types.is_struct(data_type) else set()
    return {"output", "error", "history", "finish_reason"} <= names


def _answers(column: pa.ChunkedArray) -> Iterator[str]:
    for value in plain_column(column).to_pylist():
        mark = FINISH_NOTES.get(value["finish_reason"], "") if value else ""
        text = value["error"]["message"] if value and value["error"] else mark
        why = f'<div style="color: {AMBER}">{escape(text)}</div>' if mark else ""
        yield _clipped(value["output"] or "") + why if value else _text(None)


def _clipped(text: str) -> str:
    return escape(text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + " …")


def _usage_note(table: pa.Table) -> str:
    """Return a picture of the tokens of each model."""
    from .charts import bars

    rows = table.to_pydict()
    tokens = {name.replace("_", " "): [n or 0 for n in rows[name]] for name in ("input_tokens", "output_tokens")}
    return bars(rows["model"], tokens)
