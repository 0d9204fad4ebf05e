"""SQL statements run one by one, and their rows printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sql_errors import sql_errors
from .row_output import OutputFormat, show_rows

if TYPE_CHECKING:
    import duckdb

    from ...udf.connection import Connection


def run_script(connection: Connection, text: str, output_format: OutputFormat) -> None:
    """Run the statements one by one and print the rows of each; the first error stops the script.

    Args:
        connection: where they run.
        text: SQL statements, separated by semicolons.
        output_format: how rows are printed.

    Raises:
        SetupError: DuckDB refused a statement; the message says where it begins.
    """
    with sql_errors("the script"):
        statements = connection.extract_statements(text)
    start = 0
    for number, statement in enumerate(statements, 1):
        start = max(text.find(statement.query.strip(), start), start)
        line = text.count("\n", 0, start) + 1
        with sql_errors(f"statement {number}, line {line}" if len(statements) > 1 else ""):
            run_statement(connection, statement, output_format)


def run_statement(connection: Connection, statement: duckdb.Statement, output_format: OutputFormat) -> None:
    """Run one statement and print its rows, if it has any.

    Args:
        connection: where it runs.
        statement: what DuckDB's `extract_statements` returned.
        output_format: how rows are printed.
    """
    from duckdb import ExpectedResultType

    from ...udf.value_text import run_query

    # Not .sql(): binding its relation would send a constant request, and running it would send a failed one again.
    if (rows := run_query(connection, statement.query)) is None:
        return
    expected = statement.expected_result_type
    has_rows = ExpectedResultType.QUERY_RESULT in expected and (len(expected) == 1 or rows.column_names != ["Count"])
    if has_rows and output_format == "table" and rows.column_names == ["explain_key", "explain_value"]:
        print(*rows["explain_value"].to_pylist(), sep="\n")
    elif has_rows:
        show_rows(rows, output_format)
