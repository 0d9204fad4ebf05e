"""What an agent's two tools do: search a database for what some words are about, and query it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ....udf.settings import load_settings
from ....udf.text2sql.checks.check_answer import check_query
from ....udf.text2sql.notes.read_notes import read_notes
from ....udf.text2sql.notes.select_notes import select_notes
from ....udf.text2sql.result import QuestionKey
from ....workers.database_schema import Schema
from ....workers.errors import RequestError, Text2SQLError
from ....workers.messages import Failure, Request
from ..admission import RequestContext
from ..databases.database import Rows
from ..databases.registry import Opened
from ..text2sql import MAX_QUESTION_CHARACTERS, QuestionTarget, text2sql_model
from .rows_text import rows_text
from .schema_search import describe_schema, look_up_values, matching_values, search_schema, split_words

MAX_ROWS = 1_000
MAX_NOTES = 4_000  # Characters.
UNKNOWN_NAME = ("binder", "catalog")
Report = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class DatabaseTools:
    """The tools on behalf of one client.

    Args:
        visit: which databases and models there are, and who pays for calls.
        model: for questions; None: the only one deployed, else the built-in one.
        report: tells the client what is being done.
    """

    visit: RequestContext
    model: str | None
    report: Report

    async def search(self, words: str, database: str) -> str:
        """Return the tables, columns and values that the words are about; without words, the whole schema.

        Raises:
            RequestError: no database has that name.
            DatabaseError: it cannot be reached.
        """
        databases = self.visit.gateway.databases
        if not words and not database and len(names := databases.names()) > 1:
            kinds = (f"{name} ({databases.open(name).database.product})" for name in names)
            return "\n".join(["Databases:", *kinds, "Say which: database."])
        name, opened = self._open(database)
        schema = await opened.schema()
        title = f"Database {name}: {opened.database.product}, {len(schema.tables)} tables"
        notes = await asyncio.to_thread(_notes, opened, words)
        wanted = split_words(words)
        if not wanted:
            return f"{title}\n{describe_schema(schema)}{notes}"
        values = matching_values(schema, wanted)
        if not values:
            await self.report("looking the words up in the tables")
            values = await asyncio.to_thread(look_up_values, opened.database, schema, wanted)
        return f"{title}\n{search_schema(schema, wanted, values)}{notes}"

    async def query(self, sql: str, question: str, database: str, max_rows: int) -> str:
        """Return the rows of a query, or of a question's answer, as JSON.

        Raises:
            RequestError: there is neither SQL nor a question, or both; or no database has that name.
            Text2SQLError: the SQL may not run, or the model found none.
            DatabaseError: the database refused it, or cannot be reached.
        """
        if bool(sql.strip()) == bool(question.strip()):
            raise RequestError("give either sql or question", hint='e.g. {"question": "How many orders are there?"}')
        name, opened = self._open(database)
        about: dict[str, Any] = {"database": name}
        if question:
            sql, fields = await self._answer(opened, question)
            about |= {"sql": sql, **fields}
        else:
            sql = await self._checked(opened, sql)
        await self.report("running the query")
        rows: Rows = await opened.database.run_async(sql, min(max(max_rows, 1), MAX_ROWS))
        return rows_text(rows, about)

    def _open(self, name: str) -> tuple[str, Opened]:
        databases = self.visit.gateway.databases
        names = databases.names()
        if not name and len(names) != 1:
            what = f"there are several databases: {', '.join(names)}" if names else "there is no database"
            raise RequestError(what, hint="say which: database" if names else "type: quackllm mcp shop.duckdb")
        return name or names[0], databases.open(name or names[0])

    async def _checked(self, opened: Opened, sql: str) -> str:
        """Return an agent's SQL in the dialect of the database, if it may run."""
        checked, failure = await self._check(opened, await opened.schema(), sql)
        if failure and failure.code in UNKNOWN_NAME:  # Another process may have made the table a moment ago.
            checked, failure = await self._check(opened, await opened.schema(most_seconds=0), sql)
        if failure:
            raise Text2SQLError(failure.message, hint=_hint(failure, opened))
        return checked

    async def _check(self, opened: Opened, schema: Schema, sql: str) -> tuple[str, Failure | None]:
        checked, failure = await asyncio.to_thread(check_query, sql, schema)
        return (checked, failure) if failure else await asyncio.to_thread(opened.database.fit, checked, schema)

    async def _answer(self, opened: Opened, question: str) -> tuple[str, dict[str, Any]]:
        """Return the SQL for a question, and what the model says about it."""
        if len(question) > MAX_QUESTION_CHARACTERS:
            raise RequestError(f"the question is longer than {MAX_QUESTION_CHARACTERS:,} letters")
        spec, remarks = await text2sql_model(self.visit, self.model)
        await self.report(f"asking {spec.name}")
        target = QuestionTarget(self.visit, spec, opened, "", None, remarks=remarks)
        detail = await target.answer(QuestionKey(Request.of(question)), load_settings().llm_store)
        if detail.sql is None:
            code, message = (
                (detail.error.code, detail.error.message) if detail.error else ("no_sql", "no SQL was found")
            )
            hint = "search for the tables, and write the SQL yourself"
            raise Text2SQLError(f"{detail.model} found no SQL ({code}): {message}", hint=hint)
        warnings = {"warnings": list(detail.warnings)} if detail.warnings else {}
        return detail.sql, {"model": detail.model, "confidence": detail.confidence, **warnings}


def _notes(opened: Opened, words: str) -> str:
    """Return what people have noted beside the database, as far as it is about the words."""
    text = read_notes(None, opened.files, files_allowed=False).text
    return f"\nNotes:\n{select_notes(text, words, limit=MAX_NOTES)}" if text else ""


def _hint(failure: Failure, opened: Opened) -> str:
    if failure.code == "guard":
        return "one SELECT over the tables of the database may run, and nothing else"
    if failure.code == "parser" and opened.database.dialect != "duckdb":
        return f"write DuckDB's SQL: it is translated to {opened.database.product}'s"
    return "search shows the tables and columns"
