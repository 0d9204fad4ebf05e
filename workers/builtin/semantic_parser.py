"""The built-in model as a whole: M-Schema text, a conversation and a question in, one SELECT out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache

from ..binder import Binder
from ..database_schema import split_name
from ..mschema import parse_mschema
from .dates.place_time import cut_time_phrases, place_time, yearless_month
from .knowing.confidence import MIN_ANSWERABLE, Draft, answerable, confidence, features
from .knowing.small_talk import reason_to_refuse
from .knowing.typos import mend_typos
from .knowing.word_coverage import Coverage, content_words, word_coverage
from .network.beam_search import Beam, beam_search
from .network.numpy_network import Network
from .network.schema_linking import LinkedQuestion, PreviousTurn, SchemaLinks, link
from .query.comparison_signs import with_comparison_signs
from .query.degenerate import is_degenerate
from .query.from_sql import UnsupportedSqlError, parse_sql
from .query.grammar import is_keyword
from .query.implied_tables import drop_implied_tables
from .query.linearize import parse_symbols
from .query.measured import multiplied_out, ranked_by_totals, with_totals
from .query.query_tree import Query
from .query.row_names import with_row_names
from .query.sort_direction import with_direction
from .query.to_sql import NotWritableError, format_sql
from .query.truth_values import with_truth_values
from .query.whole_rows import with_whole_rows
from .schema.measures import find_measure
from .schema.prune_schema import prune_schema
from .schema.schema_index import SchemaIndex
from .text.presentation import without_presentation
from .text.tokens import name_words

VALUES_HEADING = re.compile(r"^【\s*Values\s*】[ \t]*$", re.MULTILINE)
VALUE_LINE = re.compile(r"(.+?) = '((?:[^']|'')*)'")
PERIOD = re.compile(r"current_date|DATE '")  # What the SQL of a period has.
BEAMS = 5
# The model declines from this log-probability on; below it, its likeliest query is the answer.
DECLINE_THRESHOLD = math.log(0.5)
NOTHING = "the built-in model finds nothing in the schema that answers this"


class NoSchemaError(ValueError):
    """The request has no schema, so it is not a question about a database."""


class DeclinedError(ValueError):
    """The model finds nothing in the schema that answers the question; the text is the reason, for the user."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """An answer.

    Args:
        sql: it binds; tree: the same as a tree.
        read, written: the numbers of input items and output symbols.
        confidence: how probable it is that the SQL is right, 0 to 1.
        alternatives: the SQL of other beams.
        warnings: doubts, in words.
        seen: the features of which the confidence is made.
    """

    sql: str
    tree: Query
    read: int
    written: int
    confidence: float = 0.0
    alternatives: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seen: tuple[float, ...] = ()


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
    def words(self) -> frozenset[str]:
        """The words of all names and comments, in lower case."""
        texts = [split_name(table.name)[-1] for table in self.names.tables]
        texts += [column.name for column in self.names.columns]
        texts += [item.comment for item in self.names.tables] + [item.comment for item in self.names.columns]
        return frozenset(word for text in texts if text for word in name_words(text))

    @cached_property
    def links(self) -> SchemaLinks:
        """The schema links of the whole schema."""
        return SchemaLinks(self.names)

    def links_for(self, text: str, cells: list[tuple[int, str]]) -> SchemaLinks:
        """Return the schema links of the schema, or of the part of a large one that a text names; `cells` are added."""
        schema = prune_schema(self.names, text, {number for number, _ in cells})
        names = self.names if schema is self.names.schema else SchemaIndex(schema)
        if measure := find_measure(text, names):
            names = SchemaIndex(measure.added_to(schema))
        links = self.links if names is self.names else SchemaLinks(names, measure)
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


def parse(
    network: Network,
    schema: str,
    turns: Sequence[tuple[str, str]],
    question: str,
    min_confidence: float = 0.0,
    min_answerable: float = MIN_ANSWERABLE,
) -> Parsed:
    """Answer a question with SQL.

    Args:
        schema: M-Schema text, which may have a section 【Values】 with cells that the question mentions.
        turns: the earlier questions, each with its SQL ('' if there was none), the oldest first.
        min_confidence: the model declines below this confidence, 0 to 1.
        min_answerable: likewise for how much the question looks like one of this database's own.

    Raises:
        NoSchemaError: the text describes no table.
        DeclinedError: no query on this schema answers the question; its text is the reason.
    """
    text, *cells = VALUES_HEADING.split(schema, maxsplit=1)
    grounds = schema_context(text.strip())
    question = without_presentation(question, grounds.words)
    if reason := reason_to_refuse(question, grounds.words):
        raise DeclinedError(reason)
    about = " ".join((question, *(part for turn in turns[-1:] for part in turn)))
    links = grounds.links_for(about, grounds.cells(cells[0]) if cells else [])
    return _Answer(network, grounds, links, turns, question).parsed(min_confidence, min_answerable)


class _Answer:
    """One question on its way to SQL."""

    def __init__(
        self,
        network: Network,
        grounds: SchemaContext,
        links: SchemaLinks,
        turns: Sequence[tuple[str, str]],
        question: str,
    ) -> None:
        self.network, self.grounds, self.links = network, grounds, links
        self.question = mend_typos(question, grounds.words, links.cells.exact)
        self.phrases = cut_time_phrases(self.question, links.names)
        self.yearless = yearless_month(self.phrases.rest, links)
        self.linked = link(self.phrases.rest, links, previous_turn(turns, links.names))
        self.dropped_period = bool(turns and PERIOD.search(turns[-1][1])) and not self.phrases.words
        self.undated = False
        self.declined = 0.0

    def parsed(self, min_confidence: float, min_answerable: float) -> Parsed:
        if self.yearless:
            year = date.today().year
            dated = f"{year}年{self.yearless}" if "月" in self.yearless else f"{self.yearless} {year}"
            raise DeclinedError(f'the model does not know the year of "{self.yearless}": say e.g. "{dated}"')
        drafts = self.drafts()
        if not drafts:
            raise DeclinedError(self._reason())
        best = drafts[0]
        coverage = word_coverage(self.linked, self.links, best.tree)
        seen = features(drafts, self.linked, self.links, coverage, self.declined, bool(self.phrases.words))
        sure = confidence(seen)
        if sure < min_confidence or answerable(seen) < min_answerable:
            raise DeclinedError(unsure_reason(coverage))
        warnings = [f'nothing in the SQL stands for "{word}"' for word in coverage.unplaced]
        if self.dropped_period and not PERIOD.search(best.sql):
            warnings.append("the period of the previous answer is left out")
        others = tuple(dict.fromkeys(draft.sql for draft in drafts[1:] if draft.sql != best.sql))
        return Parsed(
            best.sql, best.tree, len(self.linked.features), best.symbols, sure, others, tuple(warnings), tuple(seen)
        )

    def drafts(self) -> list[Draft]:
        """Return the queries of the beams that bind, the likeliest first; none if the network declines."""
        found = []
        for beam in beam_search(self.network, self.links.names, self.linked, BEAMS):
            if is_keyword(beam.symbols[0], "DECLINE"):
                self.declined = math.exp(beam.score)
                if beam.score > DECLINE_THRESHOLD:
                    return []
                continue
            draft = self._draft(beam)
            found += [draft] if draft else []
        return found

    def _draft(self, beam: Beam) -> Draft | None:
        tree: Query | None = self._ruled(tree_from_beam(beam, self.linked))
        if tree is not None and self.phrases.words:
            tree = place_time(tree, self.phrases, self.links, self.question)
            self.undated = self.undated or tree is None
        if tree is None or is_degenerate(tree):
            return None
        written = multiplied_out(tree, self.links.names, self.links.measure) if self.links.measure else tree
        sql = sql_for(written, self.links.names, self.linked) if written else None
        return Draft(tree, sql, beam.score, len(beam.symbols)) if sql and self.grounds.binder.binds(sql) else None

    def _ruled(self, tree: Query) -> Query:
        """Return a query of the network as the rules change it."""
        names, question = self.links.names, self.question
        if self.links.measure:
            tree = with_totals(tree, names, self.links.measure, question)
        tree = ranked_by_totals(tree, names, question)
        tree = with_comparison_signs(with_truth_values(tree, names, question), self.phrases.rest)
        tree = with_direction(tree, names, question)
        return with_whole_rows(with_row_names(tree, names, question), names, self.phrases.rest)

    def _reason(self) -> str:
        words = " and ".join(f'"{word.strip()}"' for word in self.phrases.words)
        if self.undated:
            return f"the model cannot place {words}: no table of this question has a date"
        unknown = self._unknown_words()
        return f"nothing in the schema stands for {quoted_list(unknown)}" if unknown else NOTHING

    def _unknown_words(self) -> list[str]:
        """Return the words of the question that name nothing in the schema and no cell."""
        levels = self.links.matcher.levels([word.lower for word in self.linked.words])
        covered = {place for one in self.linked.candidates if one.cells for place in range(max(one.start, 0), one.end)}
        return [
            text
            for text, places in content_words(self.linked)
            if not levels[places].any() and not covered & set(places)
        ]


def unsure_reason(coverage: Coverage) -> str:
    """Return why the model declines for its low confidence."""
    if coverage.unplaced:
        return f"nothing in the schema stands for {quoted_list(coverage.unplaced)}"
    return "the model is not sure enough of any query"


def quoted_list(words: Sequence[str]) -> str:
    """Return words in quotes, at most four."""
    return ", ".join(f'"{word}"' for word in list(dict.fromkeys(words))[:4])


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
