"""The prefetch: a statement is rehearsed until it asks nothing new, and then runs as its user wrote it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import duckdb
import pyarrow as pa

from ..session.session import Session, plain
from .dry_run import Rehearsal
from .eligibility import doubt, reads_once
from .guards import guarded
from .limit_batches import TAKES_NULL, Waves, waves_of
from .modes import ASKING, KNOWN, KNOWN_ONLY
from .parse import Reading, read_statement
from .predicates import asks

LOG = logging.getLogger("quackllm")
ROWS = 100_000
"""Rows of a rehearsal that are read, and dropped, at once."""


@contextmanager
def planned(connection: duckdb.DuckDBPyConnection, session: Session, text: str, arguments: Any) -> Iterator[None]:
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
        prefetch.ask_unchanged()
        yield
        return
    own = session.own_transaction
    own.begin(connection)
    try:
        session.statement.asker = KNOWN_ONLY if _ask_ahead(prefetch, session) else ASKING
        if session.statement.asker is ASKING:
            own.undo(connection)
        yield
        if not reading.whole:
            own.commit(connection)
    except BaseException:
        own.undo(connection)
        raise


def _ask_ahead(prefetch: Prefetch, session: Session) -> bool:
    """Return whether the statement needs nothing that was not asked; a rehearsal that fails proves nothing."""
    try:
        return prefetch.ask()
    except duckdb.Error as error:
        if session.statement.failed_for_good:
            raise
        LOG.debug("not planned: %s", error)
        return False


def _read(connection: duckdb.DuckDBPyConnection, session: Session, text: str) -> Reading | None:
    if session.statement.wishes.llm_prefetch == "off":
        return None
    reading = read_statement(text, session.named or ())
    if reading is None:
        return None
    try:
        reason = doubt(connection, reading)
    except duckdb.Error:  # An aborted transaction: the statement itself will say so.
        return None
    if reason:
        LOG.debug("not planned: %s", reason)
    return None if reason else reading


def in_transaction(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the user's own transaction is open: another BEGIN would abort it, hence two looks at its number."""
    one, two = (plain(connection, "SELECT current_transaction_id()") for _ in range(2))
    return one == two


class Prefetch:
    """One statement before it runs."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, session: Session, reading: Reading, arguments: Any
    ) -> None:
        self._connection, self._session, self._reading, self._arguments = connection, session, reading, arguments

    def ask(self) -> bool:
        """Ask what the statement will ask; return whether this proved that it needs nothing else.

        Every rehearsal sees the data that the statement itself will see: they share a transaction.

        Raises:
            duckdb.Error: a rehearsal failed, as the statement itself may.
        """
        waves = waves_of(self._reading)
        sql = self._rewritten(waves)
        self._session.statement.asker = KNOWN_ONLY  # EXPLAIN folds constants: it would ask.
        if reads_once(self._connection, self._reading.text, self._arguments):
            return False
        if sql is not None and waves is not None:
            self._ask_in_waves(waves)
            sql = self._behind_waves()
        self._rehearse(self._reading.text if sql is None else sql)
        return sql is not None

    def ask_unchanged(self) -> None:
        """Ask what the statement will ask, by running it as it is; not where that could fail and it would not."""
        parts = self._reading.tree.find_all(*TAKES_NULL)
        if not any(asks(part, self._reading.is_call) for part in parts):
            self._rehearse(self._reading.text)
        self._session.statement.asker = ASKING

    def _ask_in_waves(self, waves: Waves) -> None:
        while True:
            self._rehearse(waves.sql())
            ((rows, passed),) = self._submit(waves.counting()).fetchall()
            if waves.enough(rows, passed):
                return

    def _behind_waves(self) -> str:
        """Return the SELECT whose conditions ask nothing more, to find what its result asks."""
        tree = self._reading.tree.copy()
        clauses = [tree.args["where"], *(tree.args.get("joins") or [])]
        for call in [node for clause in clauses for node in clause.walk() if self._reading.is_call(node)]:
            name = [] if call.name.lower().startswith("llm_") else [f"'{call.name.lower()}'"]
            given = [*name, *(value.sql(dialect="duckdb") for value in call.expressions)]
            function = "quackllm_embed" if call.name.lower() == "llm_embed" else "quackllm_chat"
            given = ["NULL", *given] if len(given) == 1 else given
            call.set("this", function)
            call.set("expressions", [*given, f"'{KNOWN}'", str(self._session.number)])
        return str(tree.sql(dialect="duckdb"))

    def _rehearse(self, sql: str) -> None:
        """Run until nothing new is asked."""
        found, rehearsal = -1, Rehearsal(early=self._reading.independent())
        try:
            while rehearsal.found > found:
                found = rehearsal.found
                self._session.statement.asker = rehearsal
                self.run(sql)
                self._session.statement.asker = KNOWN_ONLY
                rehearsal.ask(self._session)
        finally:
            rehearsal.drop()

    def _rewritten(self, waves: Waves | None) -> str | None:
        """Return the guarded SELECT; None where it needs no guards, or could mean something else than the user's.

        That DuckDB reads what sqlglot writes as it reads the user's own text shows that sqlglot understood it.
        """
        written = self._reading.tree.sql(dialect="duckdb")
        rewritten = guarded(self._reading.tree, self._reading.is_call).sql(dialect="duckdb")
        if rewritten == written and waves is None:
            return None
        tree = self._tree(written)
        return rewritten if tree and tree == self._tree(self._reading.text) else None

    def _tree(self, sql: str) -> Any:
        ((text,),) = plain(self._connection, "SELECT json_serialize_sql($1::VARCHAR)", [sql])
        tree = json.loads(text)
        return None if tree["error"] else _without_places(tree)

    def run(self, sql: str) -> None:
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
        return duckdb.DuckDBPyConnection._submit(self._connection, sql, self._arguments, form, ROWS)


def _without_places(tree: Any) -> Any:
    """Return the tree without where in the text each part of it stands."""
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items() if not key.startswith("query_location")}
    return [_without_places(part) for part in tree] if isinstance(tree, list) else tree
