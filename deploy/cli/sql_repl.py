"""The prompt of `quackllm sql`: statements of one or more lines, run when a semicolon ends them."""

from __future__ import annotations

import sqlite3
import sys

from ...udf.connection import Connection
from ...workers.errors import QuackLLMError
from ..terminal_output import print_line, show_error
from .line_input import read_inputs
from .row_output import OutputFormat
from .run_sql import run_script

HELP = """\
A statement ends with a semicolon and may take several lines.
  SELECT llm_result(qianwen_chat('hello'));      call a model by its name
  SELECT text2sql('How many singers are there?');  a question about the tables, as SQL
  FROM ask('How many singers are there?');         … and its answer
  FROM llm_models();  FROM llm_usage();            the deployed models, and their usage
.help   this          .tables   the tables          .quit   leave (or Ctrl-D)
Ctrl-C stops the running statement, or discards the lines typed so far."""
COMPLETIONS = """
    SELECT keyword_name FROM duckdb_keywords()
    UNION SELECT table_name FROM duckdb_tables()
    UNION SELECT view_name FROM duckdb_views() WHERE NOT internal
    UNION SELECT column_name FROM duckdb_columns() WHERE NOT internal
    UNION SELECT function_name FROM duckdb_functions() WHERE function_name NOT LIKE 'quackllm_%' ORDER BY ALL
"""


def run_repl(connection: Connection, output_format: OutputFormat) -> None:
    """Read statements and run them, until Ctrl-D or `.quit`; an error ends its statement only."""
    completions = [word for (word,) in connection.execute(COMPLETIONS).fetchall()]
    print_line("DuckDB with LLM functions. Type .help for help, .quit to leave.")
    for text in read_inputs("sql", "quackllm> ", "     ...> ", _is_complete, completions):
        command = text.strip()
        if command in (".quit", ".exit", ".q"):
            return
        elif command.startswith(".") and command != ".tables":
            print_line(HELP)
        else:
            _run(connection, "SHOW TABLES" if command == ".tables" else text, output_format)


def _is_complete(text: str) -> bool:
    """Whether a statement has its semicolon, or the text is a dot command."""
    # SQLite's test: it knows strings and comments, and does not parse.
    return text.startswith(".") or sqlite3.complete_statement(text)


def _run(connection: Connection, text: str, output_format: OutputFormat) -> None:
    try:
        run_script(connection, text, output_format)
    except QuackLLMError as error:
        show_error(error.message, error.hint)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
