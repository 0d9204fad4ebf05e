"""`%%text2sql` and `%%ask`: a question about the database, answered with SQL, its rows and a chart."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ... import Connection
from ...udf.conversation_tables import check_turn_name, load_history, save_turn
from ...udf.functions.text2sql import DETAIL_SQL
from ...udf.kept_examples import keep_example
from ...udf.text2sql.result import is_unsure
from ...udf.text2sql.schema.ddl import is_ddl
from ...workers.errors import ProviderError, RequestError
from ...workers.sql_text import quote_literal
from ..display.answers import format_tokens
from ..display.charts import chart_for
from ..display.html import FAINT, MONO, WRAP, Bundle, div, mime_bundle, muted
from ..display.result_table import Result
from ..notebook_connection import NotebookConnection
from .sql import run

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

DETAIL = """
    SELECT text2sql_detail(
        llm_param({'instruction': $question, 'history': $history::VARCHAR}),
        schema := $schema::VARCHAR, model := $model::VARCHAR, notes := $notes::VARCHAR,
        examples := $examples::INTEGER, votes := $votes::INTEGER, min_confidence := $min_confidence::DOUBLE
    )
"""
MAX_ROWS = 10_000


class QuestionAnswer:
    """The answer to a question: the SQL, its rows if it ran, and its usage."""

    def __init__(
        self, detail: dict[str, Any], rows: Result | None, *, remarks: Sequence[str] = (), show_prompt: bool = False
    ) -> None:
        self.detail = detail
        self.remarks = remarks
        self.show_prompt = show_prompt
        self.sql: str = detail["sql"]
        self.rows = rows

    def __repr__(self) -> str:
        return self.bundle()["text/plain"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return self.bundle()

    def bundle(self) -> Bundle:
        """Return the SQL, the rows and a chart, if the rows can be drawn."""
        from ..display.sql_highlighting import format_sql, highlight_sql

        code = div(
            highlight_sql(format_sql(self.sql)), f"background: {FAINT}; padding: .5em .9em; {WRAP}; {MONO}", "sql"
        )
        if self.rows is None:
            note = "not run: the SQL is for another schema than this database's"
            return mime_bundle(div(code + muted(note), css_class="question"), f"{self.sql}\n{note}")
        rows = self.rows.bundle()
        chart = chart_for(self.rows.arrow) or ""
        notes = "".join(map(muted, self._doubts()))
        prompt = _folded("prompt", self.detail["prompt"]) if self.show_prompt else ""
        shown = div(code + rows["text/html"] + chart + notes + muted(self._usage_line()) + prompt, css_class="question")
        return mime_bundle(shown, "\n".join([self.sql, rows["text/plain"], *self._doubts(), self._usage_line()]))

    def _doubts(self) -> list[str]:
        """Return what speaks against the answer."""
        unsure = ["unsure of this answer"] if is_unsure(self.detail["confidence"]) else []
        return [f"⚠ {text}" for text in (*self.remarks, *unsure, *self.detail["warnings"])]

    def _usage_line(self) -> str:
        attempts, usage = self.detail["attempts"], self.detail["usage"]
        parts = [self.detail["model"], f"{attempts} attempts" if attempts != 1 else "1 attempt"]
        if usage["input_tokens"]:
            parts.append(format_tokens(usage["input_tokens"], usage["output_tokens"]))
        return " · ".join(parts)


def ask_question(
    shell: InteractiveShell, notebook: NotebookConnection, given: dict[str, str], text: str, *, edit: bool
) -> QuestionAnswer:
    """Find the SQL of a question, run it, and save the turn.

    Args:
        shell: gets the cell to edit.
        notebook: its connection and variables.
        given: the options that were written, as `magic_options.TEXT2SQL` lists them.
        text: the question.
        edit: put the SQL into the next cell.

    Raises:
        RequestError: there is no question, or an option is invalid.
        ProviderError: no SQL was found; the message is the service's or DuckDB's.
    """
    if not text.strip():
        raise RequestError("there is no question", hint="write the question in the cell")
    connection, output_turn, max_rows = notebook.connection(), given.get("output"), _number(given, "rows", MAX_ROWS)
    if output_turn is not None:
        check_turn_name(connection, output_turn)
    detail, remarks = _detail(connection, given, text)
    if detail["sql"] is None:
        error = detail["error"]
        hint = "rephrase the question, or name the tables: --schema 'singer, concert'"
        if error["code"] == "unclear":
            hint = "put the answer into the question; with --output, continue it: --input"
        raise ProviderError(error["message"], code=error["code"], hint=hint)
    if output_turn is not None:
        save_turn(connection, output_turn, detail, DETAIL_SQL)
    if "keep" in given:
        keep_example(connection, text.strip(), detail["sql"])
    if edit and detail["sql"] not in notebook.suggested_sql:
        notebook.suggested_sql.add(detail["sql"])
        shell.set_next_input(f"%%sql\n{detail['sql']}", replace=False)
    can_run = detail["bound"] and not _is_description(given.get("schema", ""))
    query = f"FROM guarded_query({quote_literal(detail['sql'])}, max_rows := {max_rows})"
    result = run(connection, query) if can_run else None
    answer = QuestionAnswer(detail, result, remarks=remarks, show_prompt="show_prompt" in given)
    if output_turn is not None:
        notebook.variables[output_turn] = answer
    return answer


def _detail(connection: Connection, given: dict[str, str], text: str) -> tuple[dict[str, Any], list[str]]:
    history = load_history(connection, given["input"]) if "input" in given else ()
    turns = [{"role": message.role, "content": message.content} for message in history]
    values = {
        "question": text.strip(),
        "history": json.dumps(turns, ensure_ascii=False) if turns else None,
        "schema": given.get("schema"),
        "model": given.get("model"),
        "notes": given.get("notes"),
        "examples": _number(given, "examples", 0),
        "votes": _number(given, "votes", 1),
        "min_confidence": _share(given, "min_confidence"),
    }
    result = run(connection, DETAIL, values)
    assert result is not None, "a SELECT has a result"
    detail: dict[str, Any] = result.arrow.columns[0][0].as_py()
    return detail, result.notes


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary><pre>{html.escape(text)}</pre></details>"


def _is_description(schema: str) -> bool:
    """Whether the schema is DDL or M-Schema, not names of tables of the connection."""
    return is_ddl(schema) or "# table" in schema.lower()


def _number(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal():
        raise RequestError(f"--{name} is a number, not {text!r}", hint=f"write --{name} {default or 3}")
    return int(text)


def _share(given: dict[str, str], name: str) -> float | None:
    try:
        return float(given[name]) if name in given else None
    except ValueError:
        hint = f"write --{name} 0.5, from 0 to 1"
        raise RequestError(f"--{name} is a number, not {given[name]!r}", hint=hint) from None
