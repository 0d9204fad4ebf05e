"""`{{variable}}` and `{{SELECT …}}` in a prompt: filled in as text, once, and never as SQL."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ... import Connection, Response
from ...udf.value_text import run_query, text_rows
from ...workers.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

PLACEHOLDER = re.compile(r"(?P<literal>\\)?\{\{(?P<inside>.*?)\}\}", re.DOTALL)
QUERY = re.compile(r"(SELECT|FROM|WITH|VALUES)\b", re.IGNORECASE)
MOST_ROWS = 1_000
MOST_CHARACTERS = 100_000


def render_template(text: str, variables: Mapping[str, Any], connection: Connection) -> str:
    r"""Return the text with its holes filled; what is filled in is not looked at again.

    A hole that is neither a name nor a query stays as it is, and `\{{…}}` stays without its backslash.

    Raises:
        RequestError: there is no such variable, no single SELECT in it, or too much to fill in.
        duckdb.Error: the query cannot be run.
    """

    def filled(hole: re.Match[str]) -> str:
        inside = hole["inside"].strip()
        if hole["literal"]:
            return hole[0][1:]
        if inside.isidentifier():
            return _variable(inside, variables)
        return _rows(inside, _read(connection, inside)) if QUERY.match(inside) else hole[0]

    return PLACEHOLDER.sub(filled, text)


def _variable(name: str, variables: Mapping[str, Any]) -> str:
    if name not in variables:
        near = did_you_mean(name, [known for known in variables if not known.startswith("_")])
        near = near if near.startswith("did you mean") else f"write \\{{{{{name}}}}} for the text {{{{{name}}}}}"
        raise RequestError(f"there is no variable {name} to fill in", hint=near)
    value = variables[name]
    if isinstance(value, Response):
        return value.output or ""
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, _Tabular):
        return _rows(name, _as_table(value))
    return str(value)


@runtime_checkable
class _Tabular(Protocol):
    """A DataFrame, a relation or another table: what speaks Arrow's own protocol."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return its rows."""


def _as_table(value: _Tabular) -> pa.Table:
    import pyarrow as pa

    return pa.table(value)


def _read(connection: Connection, query: str) -> pa.Table:
    """Run one SELECT that changes nothing; DuckDB takes no other statement, and no writing one, inside a SELECT."""
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise RequestError(f"{{{{{query}}}}} holds {len(statements)} statements", hint="write one SELECT")
    bare = statements[0].query.strip().rstrip(";")
    table = run_query(connection, f"SELECT * FROM ({bare}\n) LIMIT {MOST_ROWS + 1}")
    assert table is not None, "a SELECT has a result"
    return table


def _rows(what: str, table: pa.Table) -> str:
    """Return a single value as it is, and rows as CSV with the columns' names."""
    if table.num_rows > MOST_ROWS:
        hint = "write a LIMIT, or ask about each row: SELECT llm_chat('…' || column) FROM …"
        raise RequestError(f"{{{{{what}}}}} gives more than {MOST_ROWS:,} rows", hint=hint)
    rows = text_rows(table)
    if table.num_rows == table.num_columns == 1:
        text = rows[0][0] or ""
    else:
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows([table.column_names, *rows])
        text = written.getvalue().rstrip("\n")
    if len(text) > MOST_CHARACTERS:
        raise RequestError(
            f"{{{{{what}}}}} gives {len(text):,} characters, and {MOST_CHARACTERS:,} are the most",
            hint="take fewer rows or columns",
        )
    return text
