"""The prefetch: a statement is rehearsed until it asks nothing new, and then runs as its user wrote it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import duckdb
import pyarrow as pa
from sqlglot import exp

from ..ai.macros import AI_FUNCTIONS
from ..raw_sql import execute_raw
from ..session.session import Session
from ..value_text import PROMPT_VALUE
from .dry_run import DryRun
from .eligibility import has_single_pass_source, ineligible_reason
from .guards import add_guards
from .limit_batches import NULL_TOLERANT, LimitBatches, limit_batches
from .modes import CACHE_ONLY, CachedAnswers, LiveAnswers
from .parse import ModelQuery, parse_statement
from .predicates import contains_call

LOG = logging.getLogger("quackllm")
FETCH_ROWS = 100_000
"""Rows of a rehearsal that are read, and dropped, at once."""


@contextmanager
def prefetched(connection: duckdb.DuckDBPyConnection, session: Session, text: str, arguments: Any) -> Iterator[None]:
    """Ask what the statement will ask; inside, it runs and finds the answers known.

    Args:
        connection, session: where it will run.
        text: the statement.
        arguments: its parameters' values, as DuckDB's `execute` takes them; None: it has none.
    """
    reading = _read(connection, session, text)
    if reading is None:
        yield
        return
    prefetch = Prefetch(connection, session, reading, arguments)
    if in_transaction(connection):
        prefetch.run_unrewritten()
        yield
        return
    own = session.own_transaction
    own.begin(connection)
    try:
        if not _ask_ahead(prefetch, session):
            session.answers = LiveAnswers(session)
            own.rollback(connection)
        yield
        if not reading.whole:
            own.commit(connection)
    except BaseException:
        own.rollback(connection)
        raise


def _ask_ahead(prefetch: Prefetch, session: Session) -> bool:
    """Return whether the statement needs nothing that was not asked; a rehearsal that fails proves nothing."""
    try:
        return prefetch.run()
    except duckdb.Error as error:
        if session.statement.is_terminal:
            raise
        LOG.debug("not planned: %s", error)
        return False


def _read(connection: duckdb.DuckDBPyConnection, session: Session, text: str) -> ModelQuery | None:
    if session.statement.scope.options.llm_prefetch == "off":
        return None
    reading = parse_statement(text, session.model_macros or ())
    if reading is None:
        return None
    try:
        reason = ineligible_reason(connection, reading)
    except duckdb.Error:  # An aborted transaction: the statement itself will say so.
        return None
    if reason:
        LOG.debug("not planned: %s", reason)
    return None if reason else reading


def in_transaction(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the user's own transaction is open: another BEGIN would abort it, hence two looks at its number."""
    one, two = (execute_raw(connection, "SELECT current_transaction_id()") for _ in range(2))
    return one == two


class Prefetch:
    """One statement before it runs."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, session: Session, reading: ModelQuery, arguments: Any
    ) -> None:
        self._connection, self._session, self._reading, self._arguments = connection, session, reading, arguments

    def run(self) -> bool:
        """Ask what the statement will ask; return whether this proved that it needs nothing else.

        Every rehearsal sees the data that the statement itself will see: they share a transaction.

        Raises:
            duckdb.Error: a rehearsal failed, as the statement itself may.
        """
        waves = limit_batches(self._reading)
        sql = self._guarded_sql(waves)
        self._session.answers = CachedAnswers(self._session)  # EXPLAIN folds constants: it would ask.
        if has_single_pass_source(self._connection, self._reading.text, self._arguments):
            return False
        if sql is not None and waves is not None:
            self._ask_in_waves(waves)
            sql = self._behind_waves()
        self._rehearse(self._reading.text if sql is None else sql)
        return sql is not None

    def run_unrewritten(self) -> None:
        """Ask what the statement will ask, by running it as it is; not where that could fail and it would not."""
        parts = self._reading.tree.find_all(*NULL_TOLERANT)
        if not any(contains_call(part, self._reading.is_call) for part in parts):
            self._rehearse(self._reading.text)
        self._session.answers = LiveAnswers(self._session)

    def _ask_in_waves(self, waves: LimitBatches) -> None:
        while True:
            self._rehearse(waves.sql())
            ((rows, passed),) = self._submit(waves.counting()).fetchall()
            if waves.is_satisfied(rows, passed):
                return

    def _behind_waves(self) -> str:
        """Return the SELECT whose conditions ask nothing more, to find what its result asks."""
        tree = self._reading.tree.copy()
        clauses = [tree.args["where"], *(tree.args.get("joins") or [])]
        for call in [node for clause in clauses for node in clause.walk() if self._reading.is_call(node)]:
            if call.name.lower() in AI_FUNCTIONS:
                call.append(
                    "expressions",
                    exp.PropertyEQ(this=exp.to_identifier("store"), expression=exp.Literal.string(CACHE_ONLY)),
                )
                continue
            name = [] if call.name.lower().startswith("llm_") else [f"'{call.name.lower()}'"]
            given = [*name, *(value.sql(dialect="duckdb") for value in call.expressions)]
            given[-1:] = [f"{PROMPT_VALUE}({request})" for request in given[-1:]]
            function = "quackllm_embed" if call.name.lower() == "llm_embed" else "quackllm_chat"
            given = ["NULL", *given] if len(given) == 1 else given
            call.set("this", function)
            call.set("expressions", [*given, f"'{CACHE_ONLY}'", str(self._session.number)])
        return str(tree.sql(dialect="duckdb"))

    def _rehearse(self, sql: str) -> None:
        """Run until nothing new is asked."""
        found, rehearsal = -1, DryRun(self._session, early=self._reading.has_single_call())
        try:
            while rehearsal.missing_count > found:
                found = rehearsal.missing_count
                self._session.answers = rehearsal
                self.execute(sql)
                self._session.answers = CachedAnswers(self._session)
                rehearsal.send_pending()
        finally:
            rehearsal.cancel()

    def _guarded_sql(self, waves: LimitBatches | None) -> str | None:
        """Return the guarded SELECT; None where it needs no guards, or could mean something else than the user's.

        That DuckDB reads what sqlglot writes as it reads the user's own text shows that sqlglot understood it.
        """
        written = self._reading.tree.sql(dialect="duckdb")
        rewritten = add_guards(self._reading.tree, self._reading.is_call).sql(dialect="duckdb")
        if rewritten == written and waves is None:
            return None
        tree = self._tree(written)
        return rewritten if tree and tree == self._tree(self._reading.text) else None

    def _tree(self, sql: str) -> Any:
        ((text,),) = execute_raw(self._connection, "SELECT json_serialize_sql($1::VARCHAR)", [sql])
        tree = json.loads(text)
        return None if tree["error"] else _without_places(tree)

    def execute(self, sql: str) -> None:
        """Run a SELECT with the statement's values, to its last row, for what its functions see.

        Raises:
            duckdb.Error: it failed; of an error behind the first rows Arrow passes on no more than the text.
        """
        try:
            for _ in self._submit(sql, "stream").arrow_reader():
                pass
        except (OSError, pa.ArrowException) as error:
            raise duckdb.Error(str(error)) from error

    def _submit(self, sql: str, form: Literal["rows", "stream"] = "rows") -> Any:
        return duckdb.DuckDBPyConnection._submit(self._connection, sql, self._arguments, form, FETCH_ROWS)


def _without_places(tree: Any) -> Any:
    """Return the tree without where in the text each part of it stands."""
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items() if not key.startswith("query_location")}
    return [_without_places(part) for part in tree] if isinstance(tree, list) else tree
