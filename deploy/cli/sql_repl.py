"""The prompt of `quackllm sql`: statements of one or more lines, run when a semicolon ends them."""

from __future__ import annotations

import sqlite3
import sys

from ...udf.connection import Connection
from ...workers.errors import QuackLLMError
from ..console import show_error, stdout
from .commands.sql import run_script
from .line_input import read_inputs
from .row_output import Form

HELP = """\
A statement ends with a semicolon and may take several lines.
  SELECT llm_result(qianwen_chat('hello'));      ask a model by its name
  SELECT text2sql('How many singers are there?');  a question about the tables, as SQL
  FROM ask('How many singers are there?');         … and its answer
  FROM llm_models();  FROM llm_usage();            what is deployed, and what was spent
.help   this          .tables   the tables          .quit   leave (or Ctrl-D)
Ctrl-C stops the running statement, or drops the lines typed so far."""
WORDS = """
    SELECT keyword_name FROM duckdb_keywords()
    UNION SELECT table_name FROM duckdb_tables()
    UNION SELECT view_name FROM duckdb_views() WHERE NOT internal
    UNION SELECT column_name FROM duckdb_columns() WHERE NOT internal
    UNION SELECT function_name FROM duckdb_functions() WHERE function_name NOT LIKE 'quackllm_%' ORDER BY ALL
"""


def run_repl(connection: Connection, form: Form) -> None:
    """Read statements and run them, until Ctrl-D or `.quit`; an error ends its statement only."""
    words = [word for (word,) in connection.execute(WORDS).fetchall()]
    stdout.print("DuckDB with LLM functions. .help says what there is, .quit leaves.", highlight=False)
    for text in read_inputs("sql", "quackllm> ", "     ...> ", _is_complete, words):
        if not text.startswith("."):
            _run(connection, text, form)
        elif not _run_dot_command(connection, text.strip(), form):
            return


def _is_complete(text: str) -> bool:
    """Whether a statement has its semicolon, or it is a command that begins with a dot."""
    # SQLite's test: it knows strings and comments, and does not parse.
    return text.startswith(".") or sqlite3.complete_statement(text)


def _run_dot_command(connection: Connection, command: str, form: Form) -> bool:
    """Do what a dot command says; return whether to go on."""
    if command in (".quit", ".exit", ".q"):
        return False
    if command == ".tables":
        _run(connection, "SHOW TABLES", form)
    else:
        stdout.print(HELP, highlight=False, markup=False)
    return True


def _run(connection: Connection, text: str, form: Form) -> None:
    try:
        run_script(connection, text, form)
    except QuackLLMError as error:
        show_error(error.message, error.hint)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
