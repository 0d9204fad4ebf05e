"""The runner: SELECTs that run beside a statement, with its values, before it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import duckdb
import pyarrow as pa

from ..raw_sql import execute_raw
from ..session.answer_source import AnswerSource
from ..session.session import Session
from .call_sites import NUMBERED_FUNCTIONS, CallSites, number_call_sites
from .dry_run import DryRun
from .guards import add_guards
from .modes import CachedAnswers
from .parse_statement import ModelQuery
from .statement_tree import tree_sql

FETCH_ROWS = 100_000
"""Rows of a dry run that are read, and dropped, at once."""


class Runner:
    """Runs SELECTs for one statement.

    Args:
        connection, session: where the statement will run.
        arguments: its parameters' values, as DuckDB's `execute` takes them; None: it has none.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, session: Session, arguments: Any) -> None:
        self.connection, self.session, self.arguments = connection, session, arguments

    def binds(self, reading: ModelQuery) -> bool:
        """Whether DuckDB can run the SELECT by itself. No transaction may be open: an error would abort it."""
        return self.plan(tree_sql(self.connection, reading.tree)) is not None

    def plan(self, sql: str) -> str | None:
        """Return DuckDB's plan of a SELECT; None where it cannot run by itself. No transaction may be open."""
        before, self.session.answers = self.session.answers, CachedAnswers(self.session)
        try:
            return str(execute_raw(self.connection, f"EXPLAIN (FORMAT json) {sql}", self.arguments))
        except duckdb.Error:
            return None
        finally:
            self.session.answers = before

    def dry_run(self, sql: str, sites: CallSites, *, needs_proof: bool = True) -> None:
        """Run until nothing is missing; without need of a proof, until all that the statement needs was sent."""
        dry_run, again = DryRun(self.session, sites), True
        try:
            while again:
                self.session.answers = dry_run
                self.execute(sql)
                self.session.answers = CachedAnswers(self.session)
                again = dry_run.finish_run() and (needs_proof or not dry_run.has_noted_all)
        finally:
            dry_run.cancel()

    def dry_run_guarded(self, reading: ModelQuery) -> tuple[str, bool]:
        """Send the requests of a SELECT; return what ran, and whether there were guards to add."""
        sql, sites, is_guarded = self.guarded_sql(reading)
        self.dry_run(sql, sites)
        return sql, is_guarded

    def guarded_sql(self, reading: ModelQuery) -> tuple[str, CallSites, bool]:
        """Return a SELECT with numbered call sites and guards, its sites, and whether there were guards to add."""
        tree, sites = number_call_sites(reading, self.session.number)
        guarded = add_guards(replace(reading, tree=tree, names=NUMBERED_FUNCTIONS))
        return tree_sql(self.connection, guarded), sites, guarded != tree

    def run_with(self, sql: str, answers: AnswerSource) -> int:
        """Run a SELECT with these answers; return how many rows it gives."""
        before, self.session.answers = self.session.answers, answers
        try:
            return self.execute(sql)
        finally:
            self.session.answers = before

    def execute(self, sql: str) -> int:
        """Run a SELECT with the statement's values, to its last row, for what its functions see; count the rows.

        Raises:
            duckdb.Error: it failed; of an error behind the first rows Arrow passes on no more than the text.
        """
        try:
            return sum(batch.num_rows for batch in self._submit(sql, "stream").arrow_reader())
        except (OSError, pa.ArrowException) as error:
            raise duckdb.Error(str(error)) from error

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a SELECT, with cached answers."""
        rows: Sequence[tuple[Any, ...]] = self._submit(sql, "rows").fetchall()
        return rows

    def _submit(self, sql: str, form: Literal["rows", "stream"]) -> Any:
        return duckdb.DuckDBPyConnection._submit(self.connection, sql, self.arguments, form, FETCH_ROWS)
