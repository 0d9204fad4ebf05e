"""One draw of a question: a model's answer, repaired until it binds and its rows raise no serious doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from ...workers.database_schema import Schema
from ...workers.messages import Failure, Message, Request, Response, Usage
from ...workers.options import Options
from .checks.check_answer import check_answer
from .checks.model_remarks import NO_REMARKS, ModelRemarks, read_remarks
from .checks.verify import NO_SQL
from .confidence.doubts import SERIOUS, Doubt, find_doubts, known_cells, same_text
from .confidence.query_rows import QueryRows, RunQuery
from .confidence.sql_facts import NO_FACTS, SqlFacts, replace_literal, sql_facts
from .prompts.formats import PromptFormat
from .prompts.value_matching import CellMatch
from .repair.known_facts import known_facts, mentions
from .repair.repair_sql import repair_sql
from .schema.resolve import ResolvedSchema
from .schema.select_tables import select_tables

Complete = Callable[[Request], Awaitable[Response]]
TargetCheck = Callable[[str], tuple[str, Failure | None]]
# Errors that another attempt cannot fix: the model declines or asks back, or the time or memory is used up.
FINAL = ("declined", "unclear", "memory", "time")
VOTE_TEMPERATURE = 0.8  # Of all draws but the first, so that they differ.
# The built-in model: it answers the same at each draw, so that it has one vote, and it matches values by itself.
ONE_VOTE_FORMATS = ("builtin",)
SECOND_TRY_DRAW = 1_000  # Added to `draw` where a model repeats itself.
DOUBT_TEXT = "{doubts}. If the data has nothing else, answer with the same query again."


# What is done beside asking the model; each can be left out to measure it. 'values': cells of all rows, and those
# with a typing error; 'repairs': without a model, with what the schema says, and anew; 'checks': of the rows.
PARTS = frozenset({"values", "repairs", "checks"})


@dataclass(frozen=True, slots=True)
class SqlModel:
    """A model that writes SQL: its prompt form, and what sends it one request."""

    form: PromptFormat
    complete: Complete


@dataclass(frozen=True, slots=True)
class PreparedQuestion:
    """A question with everything that all its draws share.

    Args:
        request: the question with the turns before it, and its options.
        turns: the same, with the notes and examples in its system message.
        schema: that SQL is checked against.
        shown: the part of the schema that the model sees.
        values: the cells that the question mentions.
        near: cells that it mentions with an error, for language models.
        fit: SQL that passed → its translation for the database where it will run, or that database's error.
        run: runs SQL under caps; None: nothing is run.
        max_repairs: how often an error goes back to the model.
        parts: what is done beside asking the model; see `PARTS`.
    """

    request: Request
    turns: tuple[Message, ...]
    schema: ResolvedSchema
    shown: Schema
    values: tuple[CellMatch, ...] = ()
    near: tuple[CellMatch, ...] = ()
    fit: TargetCheck | None = None
    run: RunQuery | None = None
    max_repairs: int = 3
    parts: frozenset[str] = PARTS

    @property
    def question(self) -> str:
        """The newest turn."""
        return self.turns[-1].content


@dataclass(frozen=True, slots=True)
class SqlCandidate:
    """SQL that passed all checks.

    Args:
        sql: in DuckDB's dialect.
        fitted: in the dialect of the database where it will run.
        changes: what was changed in it without the model.
        doubts: what speaks against it.
        rows: its first rows; None if it was not run.
        remarks: what the model said about it.
        attempts: how often the model had been called.
    """

    sql: str
    fitted: str
    changes: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    rows: QueryRows | None = None
    remarks: ModelRemarks = NO_REMARKS
    attempts: int = 1

    @property
    def serious(self) -> int:
        """The number of doubts that a model is asked to repair."""
        return sum(doubt.kind in SERIOUS for doubt in self.doubts)


@dataclass
class Draw:
    """One draw.

    Args:
        prepared: the question.
        model: that is asked.
        number: of the draw, from 0; the first one has the caller's own temperature.
    """

    prepared: PreparedQuestion
    model: SqlModel
    number: int = 0
    candidates: list[SqlCandidate] = field(default_factory=list)
    failure: Failure = field(default_factory=lambda: Failure(*NO_SQL))
    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    model_name: str = ""
    prompt: tuple[Message, ...] = ()
    _failed: list[str] = field(default_factory=list)
    _repeats: int = 0

    async def make(self) -> Draw:
        """Ask the model until its SQL binds and raises no doubt, and return this draw."""
        messages: tuple[Message, ...] | None = await self._first_messages(self.prepared.shown)
        self.prompt = messages or ()
        while messages is not None and self.attempts <= self.prepared.max_repairs:
            request = structs.replace(self.prepared.request, messages=messages, options=self._options())
            response = await self.model.complete(request)
            self._count(response)
            if response.error is not None:
                self.failure = response.error
                break
            sql, failure, changes = await self._checked(response.output or "")
            if failure is None:
                messages = await self._judge(messages, sql, changes, response)
            else:
                self.failure = with_query(failure, sql)
                messages = await self._next_messages(messages, sql, failure)
        return self

    @property
    def best(self) -> SqlCandidate | None:
        """The candidate with the fewest serious doubts, of equal ones the first; None if no SQL passed."""
        return min(self.candidates, key=lambda candidate: candidate.serious, default=None)

    async def _first_messages(self, shown: Schema) -> tuple[Message, ...]:
        values = self.prepared.values
        if self.model.form.name not in ONE_VOTE_FORMATS:
            values = (*values, *self.prepared.near)
        return await asyncio.to_thread(self.model.form.build_messages, self.prepared.turns, shown, values)

    def _options(self) -> Options:
        given = self.prepared.request.options
        draw = self.number + SECOND_TRY_DRAW * self._repeats
        if not draw:
            return given
        temperature = max(given.temperature, VOTE_TEMPERATURE)
        return given.with_changes(draw=given.draw + draw, temperature=temperature)

    def _count(self, response: Response) -> None:
        self.attempts += 1
        self.seconds += response.seconds
        self.model_name = response.model or self.model_name
        tokens = response.usage
        self.usage = Usage(
            self.usage.input_tokens + tokens.input_tokens, self.usage.output_tokens + tokens.output_tokens
        )

    async def _checked(self, output: str) -> tuple[str, Failure | None, list[str]]:
        """Return the SQL of an answer, its error, and what was repaired without the model."""
        schema, prepared, read = self.prepared.schema, self.prepared, self.model.form.read
        if read is not None:
            output = await asyncio.to_thread(read, output, prepared.turns, prepared.shown, prepared.values)
        sql, failure = await asyncio.to_thread(check_answer, output, schema.schema, schema.bindable)
        if failure is None or not schema.bindable or "repairs" not in prepared.parts:
            return sql, failure, []
        repaired = await asyncio.to_thread(repair_sql, sql, failure.code, failure.message, schema.schema)
        return (sql, failure, []) if repaired is None else (repaired[0], None, repaired[1])

    async def _judge(
        self, messages: tuple[Message, ...], sql: str, changes: list[str], response: Response
    ) -> tuple[Message, ...] | None:
        """Keep SQL that passed as a candidate; return the messages for a second try if its rows raise doubts."""
        prepared = self.prepared
        fitted = sql
        if prepared.fit:
            fitted, failure = await asyncio.to_thread(prepared.fit, sql)
            if failure is not None:
                self.failure = with_query(failure, sql)
                return await self._next_messages(messages, sql, failure)
        remarks = read_remarks(response.output or "", response.reasoning)
        candidate = SqlCandidate(sql, fitted, tuple(changes), remarks=remarks, attempts=self.attempts)
        candidate = await asyncio.to_thread(judged, candidate, prepared)
        first = not self.candidates
        self.candidates.append(candidate)
        if not (candidate.serious and first):
            return None
        doubts = "; ".join(doubt.text for doubt in candidate.doubts if doubt.kind in SERIOUS)
        return self.model.form.repair(messages, sql, DOUBT_TEXT.format(doubts=doubts))

    async def _next_messages(
        self, messages: tuple[Message, ...], sql: str, failure: Failure
    ) -> tuple[Message, ...] | None:
        """Return the messages of the next attempt: the error sent back, or a new beginning where it is sent in vain."""
        if failure.code in FINAL:
            return None
        schema = self.prepared.schema.schema
        is_repaired = "repairs" in self.prepared.parts
        facts = known_facts(sql, failure.message, schema) if is_repaired else []
        again = self.model.form.repair(messages, sql, "\n".join([failure.message, *facts]))
        if again is None or sql not in self._failed or not is_repaired:
            self._failed.append(sql)
            return again
        self._repeats += 1
        return await self._first_messages(narrowed(self.prepared.shown, [*self._failed, self.prepared.question]))


def judged(candidate: SqlCandidate, prepared: PreparedQuestion) -> SqlCandidate:
    """Return a candidate with its rows and doubts; a text that differs from a cell in case alone becomes that cell."""
    schema = prepared.schema.schema
    if not prepared.schema.bindable or "checks" not in prepared.parts:
        return candidate if prepared.run is None else replace(candidate, rows=prepared.run(candidate.fitted))
    facts = sql_facts(candidate.sql, schema)
    rows = _rows(candidate.fitted, facts, prepared)
    if rows is not None and rows.is_empty and (better := _with_cells(candidate, facts, prepared)):
        candidate, rows = better
        facts = sql_facts(candidate.sql, schema)
    doubts = find_doubts(prepared.question, facts, schema, prepared.values, rows)
    return replace(candidate, rows=rows, doubts=tuple(doubts))


def _with_cells(
    candidate: SqlCandidate, facts: SqlFacts, prepared: PreparedQuestion
) -> tuple[SqlCandidate, QueryRows] | None:
    """Return the candidate, with its rows, where texts that differ from a cell in case alone are that cell.

    None if there are none, or if it gives no row either.
    """
    schema, changes, sql = prepared.schema.schema, list(candidate.changes), candidate.sql
    for table, column, text in facts["literals"]:
        cells = known_cells(schema, table, column)
        cell = None if text in cells else same_text(text, cells)
        if cell and (written := replace_literal(sql, (table, column, text), cell, schema)):
            sql = written
            changes.append(f"'{text}' is written '{cell}' in {table}.{column}")
    if sql == candidate.sql or prepared.run is None:
        return None
    fitted, failure = prepared.fit(sql) if prepared.fit else (sql, None)
    rows = None if failure else prepared.run(fitted)
    if rows is None or rows.is_empty or rows.error:
        return None
    return replace(candidate, sql=sql, fitted=fitted, changes=tuple(changes)), rows


def _rows(sql: str, facts: SqlFacts, prepared: PreparedQuestion) -> QueryRows | None:
    """Return the rows of a query; None if nothing may run, or if its tables have no rows to find."""
    if prepared.run is None or facts is NO_FACTS or facts["others"] or not facts["tables"]:
        return None
    used = [table for table in prepared.schema.schema.tables if table.name in facts["tables"]]
    if not all(any(column.examples for column in table.columns) for table in used):
        return None
    return prepared.run(sql)


def narrowed(schema: Schema, texts: Sequence[str]) -> Schema:
    """Return the tables that failed SQL or the question name, and those that a key ties to two of them."""
    named = {table.name for table in schema.tables if any(mentions(text, table) for text in texts)}
    near: dict[str, set[str]] = {}
    for key in schema.foreign_keys:
        near.setdefault(key.table, set()).add(key.other_table)
        near.setdefault(key.other_table, set()).add(key.table)
    between = {name for name, others in near.items() if len(others & named) > 1}
    chosen = named | between
    return select_tables(schema, chosen) if 0 < len(chosen) < len(schema.tables) else schema


def with_query(failure: Failure, sql: str) -> Failure:
    """Append the failing SQL to the message for the user. (The model already has it in the conversation.)"""
    return structs.replace(failure, message=f"{failure.message}\n\nThe query was: {sql}") if sql else failure
