"""`{{variable}}` and `{{SELECT …}}` in a prompt, filled in as text and never as SQL."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ... import Connection, Response
from ...udf.value_text import run_select, text_rows
from ...workers.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

PLACEHOLDER = re.compile(r"(?P<literal>\\)?\{\{(?P<inside>.*?)\}\}", re.DOTALL)
QUERY = re.compile(r"(SELECT|FROM|WITH|VALUES)\b", re.IGNORECASE)
MAX_ROWS = 1_000
MAX_CHARACTERS = 100_000


def render_template(text: str, variables: Mapping[str, Any], connection: Connection) -> str:
    r"""Return the text with its placeholders filled in, once: values are not searched for placeholders.

    A placeholder that is neither a name nor a query stays as it is; `\{{…}}` stays without its backslash.

    Args:
        text: the prompt.
        variables: the notebook's variables.
        connection: runs the queries.

    Raises:
        RequestError: there is no such variable, the placeholder is not one SELECT, or its value is too large.
        duckdb.Error: the query failed.
    """

    def fill(placeholder: re.Match[str]) -> str:
        inside = placeholder["inside"].strip()
        if placeholder["literal"]:
            return placeholder[0][1:]
        if inside.isidentifier():
            return _format_variable(inside, variables)
        return _format_rows(inside, _run_query(connection, inside)) if QUERY.match(inside) else placeholder[0]

    return PLACEHOLDER.sub(fill, text)


def _format_variable(name: str, variables: Mapping[str, Any]) -> str:
    if name not in variables:
        near = did_you_mean(name, [other for other in variables if not other.startswith("_")])
        near = near if near.startswith("did you mean") else f"write \\{{{{{name}}}}} for the text {{{{{name}}}}}"
        raise RequestError(f"there is no variable {name} to fill in", hint=near)
    value = variables[name]
    if isinstance(value, Response):
        return value.output or ""
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, _Tabular):
        return _format_rows(name, _as_table(value))
    return str(value)


@runtime_checkable
class _Tabular(Protocol):
    """A DataFrame, a relation or another table that implements Arrow's protocol."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return its rows."""


def _as_table(value: _Tabular) -> pa.Table:
    import pyarrow as pa

    return pa.table(value)


def _run_query(connection: Connection, query: str) -> pa.Table:
    """Run one SELECT; it cannot write, because DuckDB accepts no writing statement as a subquery."""
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise RequestError(f"{{{{{query}}}}} contains {len(statements)} statements", hint="write one SELECT")
    select = statements[0].query.strip().rstrip(";")
    return run_select(connection, select, MAX_ROWS + 1)


def _format_rows(source: str, table: pa.Table) -> str:
    """Return a single value as it is, or rows as CSV with a header."""
    if table.num_rows > MAX_ROWS:
        hint = "write a LIMIT, or ask about each row: SELECT llm_chat('…' || column) FROM …"
        raise RequestError(f"{{{{{source}}}}} gives more than {MAX_ROWS:,} rows", hint=hint)
    rows = text_rows(table)
    if table.num_rows == table.num_columns == 1:
        text = rows[0][0] or ""
    else:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([table.column_names, *rows])
        text = buffer.getvalue().rstrip("\n")
    if len(text) > MAX_CHARACTERS:
        raise RequestError(
            f"{{{{{source}}}}} gives {len(text):,} characters; the limit is {MAX_CHARACTERS:,}",
            hint="take fewer rows or columns",
        )
    return text
