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


class UnboundError(Exception):
    """A rewritten SELECT was not run in the user's own transaction: an error of binding would have ended it."""


class Runner:
    """Runs SELECTs for one statement.

    Args:
        connection, session: where the statement will run.
        arguments: its parameters' values, as DuckDB's `execute` takes them; None: it has none.
        binder: where SQL may fail to bind: an error on the connection itself would end an open transaction.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        session: Session,
        arguments: Any,
        binder: duckdb.DuckDBPyConnection | None = None,
    ) -> None:
        self.connection, self.session, self.arguments = connection, session, arguments
        self.binder = binder or connection
        self.is_in_transaction = binder is not None

    def binds(self, reading: ModelQuery) -> bool:
        """Whether DuckDB can run the SELECT by itself."""
        return self.plan(tree_sql(self.binder, reading.tree)) is not None

    def plan(self, sql: str) -> str | None:
        """Return DuckDB's plan of a SELECT, as JSON; None where it cannot run by itself."""
        before, self.session.answers = self.session.answers, CachedAnswers(self.session)
        try:
            return str(execute_raw(self.binder, f"EXPLAIN (FORMAT json) {sql}", self.arguments))
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
            UnboundError: `binder` is another connection, and cannot bind it.
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
        if self.is_in_transaction and self.plan(sql) is None:
            raise UnboundError
        return duckdb.DuckDBPyConnection._submit(self.connection, sql, self.arguments, form, FETCH_ROWS)
