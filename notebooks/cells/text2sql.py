"""`%%text2sql` and `%%ask`: a question becomes SQL, its rows and a chart, and a turn that the next one refines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ... import Connection
from ...udf.conversation_tables import check_turn_name, history_of, save_turn
from ...udf.functions.text2sql import DETAIL_SQL
from ...udf.text2sql.schema.ddl import is_ddl
from ...workers.errors import ProviderError, RequestError
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
        schema := $schema::VARCHAR, model := $model::VARCHAR
    )
"""
MOST_ROWS = 10_000


class QuestionAnswer:
    """What came of a question: the SQL, its rows where it ran, and what it took."""

    def __init__(self, detail: dict[str, Any], rows: Result | None) -> None:
        self.detail = detail
        self.sql: str = detail["sql"]
        self.rows = rows

    def __repr__(self) -> str:
        return self.bundle()["text/plain"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return self.bundle()

    def bundle(self) -> Bundle:
        """Return the SQL, the rows and, where they make one, a chart."""
        from ..display.sql_highlighting import highlight_sql

        code = div(highlight_sql(self.sql), f"background: {FAINT}; padding: .5em .9em; {WRAP}; {MONO}", "sql")
        if self.rows is None:
            said = "not run: it is written for another schema than this database's"
            return mime_bundle(div(code + muted(said), kind="question"), f"{self.sql}\n{said}")
        rows = self.rows.bundle()
        chart = chart_for(self.rows.arrow) or ""
        html = div(code + rows["text/html"] + chart + muted(self._took()), kind="question")
        return mime_bundle(html, "\n".join([self.sql, rows["text/plain"], self._took()]))

    def _took(self) -> str:
        attempts, usage = self.detail["attempts"], self.detail["usage"]
        parts = [self.detail["model"], f"{attempts} attempts" if attempts != 1 else "1 attempt"]
        if usage["input_tokens"]:
            parts.append(f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out")
        return " · ".join(parts)


def ask_question(
    shell: InteractiveShell, place: NotebookConnection, given: dict[str, str], text: str, *, edit: bool
) -> QuestionAnswer:
    """Find the SQL of a question, run it, and keep the turn.

    Args:
        shell: where the cell to edit goes.
        place: whose connection and variables.
        given: `model`, `schema`, `input`, `output`, `rows`, each where it was written.
        text: the question.
        edit: whether the next cell shall hold the SQL.

    Raises:
        RequestError: there is no question, or an option cannot be what it is.
        ProviderError: no SQL was found; why, in the words of the model's service or of DuckDB.
    """
    if not text.strip():
        raise RequestError("there is no question", hint="write the question in the cell")
    connection, after, most = place.connection(), given.get("output"), _most_rows(given)
    if after is not None:
        check_turn_name(connection, after)
    detail = _detail(connection, given, text)
    if detail["sql"] is None:
        error = detail["error"]
        hint = "ask in other words, or name the tables: --schema 'singer, concert'"
        raise ProviderError(error["message"], code=error["code"], hint=hint)
    if after is not None:
        save_turn(connection, after, detail, DETAIL_SQL)
    if edit and detail["sql"] not in place.suggested_sql:
        place.suggested_sql.add(detail["sql"])
        shell.set_next_input(f"%%sql\n{detail['sql']}", replace=False)
    here = detail["bound"] and not _is_described(given.get("schema", ""))
    query = f"SELECT * FROM ({detail['sql']}\n) AS answer LIMIT {most}"
    answer = QuestionAnswer(detail, run(connection, query) if here else None)
    if after is not None:
        place.variables[after] = answer
    return answer


def _detail(connection: Connection, given: dict[str, str], text: str) -> dict[str, Any]:
    history = history_of(connection, given["input"]) if "input" in given else ()
    turns = [{"role": message.role, "content": message.content} for message in history]
    values = {
        "question": text.strip(),
        "history": json.dumps(turns, ensure_ascii=False) if turns else None,
        "schema": given.get("schema"),
        "model": given.get("model"),
    }
    result = run(connection, DETAIL, values)
    assert result is not None, "a SELECT has a result"
    detail: dict[str, Any] = result.arrow.columns[0][0].as_py()
    return detail


def _is_described(schema: str) -> bool:
    """Whether the schema is a description, and not names of tables that are here."""
    return is_ddl(schema) or "# table" in schema.lower()


def _most_rows(given: dict[str, str]) -> int:
    written = given.get("rows", str(MOST_ROWS))
    if not written.isdecimal():
        raise RequestError(f"--rows is a number, not {written!r}", hint="write --rows 100")
    return int(written)
