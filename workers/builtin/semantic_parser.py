"""The built-in model as a whole: M-Schema text, a conversation and a question in, one SELECT out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ..binder import Binder
from ..mschema import parse_mschema
from .network.beam_search import Beam, beam_search
from .network.numpy_network import Network
from .network.schema_linking import LinkedQuestion, PreviousTurn, SchemaLinks, link
from .query.degenerate import is_degenerate
from .query.from_sql import UnsupportedSqlError, parse_sql
from .query.grammar import is_keyword
from .query.implied_tables import drop_implied_tables
from .query.linearize import parse_symbols
from .query.to_sql import NotWritableError, format_sql
from .query.tree import Query
from .schema.prune_schema import prune_schema
from .schema.schema_index import SchemaIndex

VALUES_HEADING = re.compile(r"^【\s*Values\s*】[ \t]*$", re.MULTILINE)
VALUE_LINE = re.compile(r"(.+?) = '((?:[^']|'')*)'")
BEAMS = 5
# The model declines from this log-probability on; below it, its likeliest query is the answer.
DECLINE_THRESHOLD = math.log(0.5)


class NoSchemaError(ValueError):
    """The request has no schema, so it is not a question about a database."""


class DeclinedError(ValueError):
    """The model finds nothing in the schema that answers the question."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """An answer: SQL that binds, its tree, and the numbers of input items and output symbols."""

    sql: str
    tree: Query
    read: int
    written: int


class SchemaContext:
    """A prepared schema: its index, and an empty copy of the database in which answers are bound."""

    def __init__(self, text: str) -> None:
        schema = parse_mschema(text)
        if not schema.tables:
            raise NoSchemaError
        self.names = SchemaIndex(schema)
        self.binder = Binder(schema)
        self.columns = {
            f"{self.names.tables[table].name}.{column.name}".lower(): number
            for number, (table, column) in enumerate(zip(self.names.table_of, self.names.columns, strict=True))
        }

    @cached_property
    def links(self) -> SchemaLinks:
        """The schema links of the whole schema."""
        return SchemaLinks(self.names)

    def links_for(self, text: str, cells: list[tuple[int, str]]) -> SchemaLinks:
        """Return the schema links of the schema, or of the part of a large one that a text names; `cells` are added."""
        schema = prune_schema(self.names, text, {number for number, _ in cells})
        links = self.links if schema is self.names.schema else SchemaLinks(SchemaIndex(schema))
        found = [(self._number_in(links.names, number), cell) for number, cell in cells]
        return links.with_cells([(number, cell) for number, cell in found if number is not None])

    def _number_in(self, names: SchemaIndex, number: int) -> int | None:
        return names.find_column(self.names.tables[self.names.table_of[number]].name, self.names.columns[number].name)

    def cells(self, lines: str) -> list[tuple[int, str]]:
        """Return the cells of the lines `table.column = 'text'`."""
        found = []
        for line in lines.splitlines():
            match = VALUE_LINE.fullmatch(line.strip())
            number = self.columns.get(match[1].strip().lower()) if match else None
            if match and number is not None:
                found.append((number, match[2].replace("''", "'")))
        return found


@lru_cache(maxsize=16)
def schema_context(text: str) -> SchemaContext:
    """Return the prepared schema of an M-Schema text; cached for the next question.

    Raises:
        NoSchemaError: the text describes no table.
    """
    return SchemaContext(text)


def parse(network: Network, schema: str, turns: Sequence[tuple[str, str]], question: str) -> Parsed:
    """Answer a question with SQL.

    Args:
        schema: M-Schema text, which may have a section 【Values】 with cells that the question mentions.
        turns: the earlier questions, each with its SQL ('' if there was none), the oldest first.

    Raises:
        NoSchemaError: the text describes no table.
        DeclinedError: no query on this schema answers the question.
    """
    text, *cells = VALUES_HEADING.split(schema, maxsplit=1)
    grounds = schema_context(text.strip())
    about = " ".join((question, *(part for turn in turns[-1:] for part in turn)))
    links = grounds.links_for(about, grounds.cells(cells[0]) if cells else [])
    names = links.names
    linked = link(question, links, previous_turn(turns, names))
    for beam in beam_search(network, names, linked, BEAMS):
        if is_keyword(beam.symbols[0], "DECLINE"):
            if beam.score > DECLINE_THRESHOLD:
                raise DeclinedError
            continue
        tree = tree_from_beam(beam, linked)
        sql = None if is_degenerate(tree) else sql_for(tree, names, linked)
        if sql and grounds.binder.binds(sql):
            return Parsed(sql, tree, len(linked.features), len(beam.symbols))
    raise DeclinedError


def previous_turn(turns: Sequence[tuple[str, str]], names: SchemaIndex) -> PreviousTurn | None:
    """Return the previous turn, with its SQL as a tree if it can be parsed."""
    if not turns:
        return None
    question, sql = turns[-1]
    try:
        return PreviousTurn(question, drop_implied_tables(parse_sql(sql, names), names))
    except (UnsupportedSqlError, KeyError):
        return PreviousTurn(question)


def tree_from_beam(beam: Beam, linked: LinkedQuestion) -> Query:
    """Return the query of a complete beam."""
    return parse_symbols(beam.symbols, [one.value for one in linked.candidates], linked.words)


def sql_for(tree: Query, names: SchemaIndex, linked: LinkedQuestion) -> str | None:
    """Return the SQL of a tree, with texts in the cells' spelling; None if no keys join its tables.

    Args:
        tree: the query.
        names: of the schema.
        linked: the linked question; its candidates have the cells' spellings.
    """
    cells = {one.value.text: one.cells for one in linked.candidates}
    try:
        return format_sql(tree, names, lambda column, text: cells.get(text, {}).get(column, text))
    except NotWritableError:
        return None
