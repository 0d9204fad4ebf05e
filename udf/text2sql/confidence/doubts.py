"""Doubts about an answer, found without a model: in its SQL, its rows and the words of its question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....workers.database_schema import Schema
from ..prompts.value_matching import CellMatch
from .query_rows import QueryRows
from .sql_facts import SqlFacts

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w%])")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
WRITTEN_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}|\d{4}年\d{1,2}月\d{1,2}"
    r"|\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?[A-Z][a-z]{2,8}\.?,?\s+\d{4}|[A-Z][a-z]{2,8}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}"
)
QUOTED = re.compile(r"'([^']{2,60})'|\"([^\"]{2,60})\"|“([^”]{2,60})”|「([^」]{2,60})」")
SERIOUS = ("empty", "all_null", "no_such_cell", "error")  # Kinds that a model is asked to repair.


@dataclass(frozen=True, slots=True)
class Doubt:
    """One doubt.

    Args:
        kind: 'empty', 'all_null', 'error', 'no_such_cell', 'multiplied', 'ignored' or 'model'.
        text: a sentence for the user and the model.
    """

    kind: str
    text: str


def find_doubts(
    question: str, facts: SqlFacts, schema: Schema, matches: Sequence[CellMatch], result: QueryRows | None
) -> list[Doubt]:
    """Return what speaks against an answer.

    Args:
        question: as the user typed it.
        facts: of the SQL.
        schema: with the known values of its columns.
        matches: the cells that the question mentions.
        result: the rows of the SQL; None if it was not run.
    """
    doubts = [*_of_result(result), *(Doubt("multiplied", text) for text in facts["multiplied"])]
    if result is None or result.is_empty:
        doubts += _unknown_literals(facts, schema)
    return [*doubts, *_ignored(question, facts, matches)]


def _of_result(result: QueryRows | None) -> Iterator[Doubt]:
    if result is None:
        return
    if result.error:
        yield Doubt("error", f"the query fails on the rows: {result.error}")
    elif not result.rows:
        yield Doubt("empty", "the query gives no row")
    elif result.all_null:
        yield Doubt("all_null", "the query gives nothing but NULL")


def _unknown_literals(facts: SqlFacts, schema: Schema) -> Iterator[Doubt]:
    for table, column, text in facts["literals"]:
        cells = known_cells(schema, table, column)
        if cells and text not in cells:
            near = same_text(text, cells)
            hint = f"; there is '{near}'" if near else f"; there is e.g. {', '.join(map(repr, cells[:3]))}"
            yield Doubt("no_such_cell", f"no {column} of {table} is known to be '{text}'{hint}")


def known_cells(schema: Schema, table: str, column: str) -> tuple[str, ...]:
    """Return the values of a column that are known; () for none."""
    columns = next((each.columns for each in schema.tables if each.name == table), ())
    return next((each.values for each in columns if each.name == column), ())


def same_text(text: str, cells: Sequence[str]) -> str | None:
    """Return the only value that differs from a text in nothing but case and spaces."""
    wanted = _folded(text)
    found = {cell for cell in cells if _folded(cell) == wanted}
    return found.pop() if len(found) == 1 else None


def _folded(text: str) -> str:
    return re.sub(r"[\s_.-]+", "", text.casefold())


def _ignored(question: str, facts: SqlFacts, matches: Sequence[CellMatch]) -> Iterator[Doubt]:
    """Yield a doubt for each value and number of the question for which nothing in the SQL stands."""
    said = " ".join(map(str, (*facts["texts"], *facts["names"], *facts["operations"]))).casefold()
    if not said:
        return
    quoted = [next(filter(None, groups)) for groups in QUOTED.findall(question)]
    in_question = [cell for _, _, cell in matches if cell.casefold() in question.casefold()]
    for text in dict.fromkeys((*in_question, *quoted)):
        if text.casefold() not in said and not any(
            text.casefold() in other.casefold() for other in in_question if other != text
        ):
            yield Doubt("ignored", f"the query ignores '{text}'")
    numbers = {float(text) for text in facts["texts"] if re.fullmatch(r"\d+(\.\d+)?", str(text))}
    if any(ISO_DATE.match(str(text)) for text in facts["texts"]):
        question = WRITTEN_DATE.sub(" ", question)  # "After 1 May" is, in SQL, from the second on.
    for number in dict.fromkeys(NUMBER.findall(question)):
        if float(number) not in numbers and number not in said:
            yield Doubt("ignored", f"the query ignores {number}")
