"""The training questions as query trees, each checked by comparing its SQL's result with the gold SQL's."""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb

from ....workers.builtin.query.from_sql import UnsupportedSqlError, parse_sql
from ....workers.builtin.query.implied_tables import drop_implied_tables, map_scopes
from ....workers.builtin.query.query_tree import Query, Term, terms_in
from ....workers.builtin.query.to_sql import NotWritableError, format_sql
from ....workers.builtin.schema.schema_index import SchemaIndex
from ..evaluation.datasets import Question, load_schema, open_database

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QuestionTree:
    """A question and the tree of its SQL; None if no tree gives the gold result."""

    question: Question
    tree: Query | None


class Checker:
    """Parses the SQL of one database's questions, and runs the SQL of their trees."""

    def __init__(self, database: str) -> None:
        self.names = SchemaIndex(load_schema(database))
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 1")
        open_database(self.connection, database)
        self.reasons: Counter[str] = Counter()

    def read(self, question: Question) -> Query | None:
        """Return the tree whose SQL has the result of the gold SQL, with the fewest tables named."""
        try:
            tree = parse_sql(question.sql, self.names)
        except (UnsupportedSqlError, KeyError) as error:
            self.reasons[f"not read: {error}"] += 1
            return None
        gold = self.run(question.sql)
        for candidate in _choices(tree, self.names):
            try:
                sql = format_sql(candidate, self.names)
            except NotWritableError as error:
                self.reasons[f"not written: {error}"] += 1
                return None
            if gold is not None and self.run(sql) == gold:
                return candidate
        self.reasons["another result"] += 1
        return None

    def run(self, sql: str) -> Counter[tuple[str, ...]] | None:
        """Return the rows as a multiset of texts; None if the SQL fails or takes longer than 5 seconds."""
        timer = threading.Timer(5.0, self.connection.interrupt)
        timer.start()
        try:
            rows = self.connection.execute(sql).fetchmany(20_000)
        except duckdb.Error:
            return None
        finally:
            timer.cancel()
        return Counter(tuple(sorted(str(value) for value in row)) for row in rows)


def _choices(tree: Query, names: SchemaIndex) -> Iterator[Query]:
    """Yield variants of the tree that name other tables: those FROM needs, a key if two tables have several, none."""
    short = drop_implied_tables(tree, names)
    yield short
    yield map_scopes(tree, lambda scope: _with_key(drop_implied_tables(scope, names), scope, names))
    yield map_scopes(tree, lambda scope: replace(scope, using=()) if len(terms_in(scope)) > len(scope.using) else scope)


def _with_key(short: Query, scope: Query, names: SchemaIndex) -> Query:
    """Name the last key column of the first table that has several keys: the first one is what a join takes anyway."""
    tables = {term.table for term in scope.using}
    columns: dict[int, list[int]] = defaultdict(list)
    for edge in names.edges:
        if {names.table_of[edge.column], names.table_of[edge.other]} <= tables:
            columns[names.table_of[edge.column]].append(edge.column)
    several = [Term(column=found[-1]) for found in columns.values() if len(set(found)) > 1]
    return replace(short, using=(*short.using, *several[:1]))


def read_questions(questions: Sequence[Question]) -> tuple[list[QuestionTree], Counter[str]]:
    """Return the tree of every question with a database, and the reasons why others have no tree."""
    readings, reasons = [], Counter[str]()
    checkers: dict[str, Checker] = {}
    trees: dict[tuple[str, str], Query | None] = {}
    for question in sorted(questions, key=lambda one: one.db):
        if question.db not in checkers:
            checkers = {question.db: Checker(question.db)}
        checker = checkers[question.db]
        key = (question.db, question.sql)
        if key not in trees:
            trees[key] = checker.read(question)
            reasons += checker.reasons
            checker.reasons.clear()
        readings.append(QuestionTree(question, trees[key]))
    return readings, reasons
