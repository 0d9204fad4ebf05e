"""The prefetch: dry runs of a statement, until it needs no new call; then it runs as its user wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from enum import Enum
from typing import Any

import duckdb

from ..raw_sql import execute_raw
from ..session.session import Session
from .call_sites import NUMBERED_FUNCTIONS, CallSites, number_call_sites, restrict_to_cache
from .condition_order import OrderedWhere, order_conditions, orderable
from .dry_run import UnsteadyError
from .early_stop import early_stops
from .eligibility import ineligible_reason, unrepeatable_source, without_volatile_items
from .expansion import expand
from .flatten import flatten
from .guards import add_guards
from .limit_batches import LimitBatches, limit_batches, takes_null
from .modes import MODEL_FUNCTIONS, CachedAnswers, LiveAnswers
from .parse_statement import ModelQuery, UnplannedError, parse_statement
from .predicates import contains_call
from .prepared import as_executed
from .read_definitions import read_definitions
from .reductions import reduce_subqueries
from .runner import Runner, UnboundError
from .statement_tree import Node, is_faithful, is_function, selects, tree_sql, walk

AGGREGATES = frozenset({"count_star", "count", "sum", "min", "max", "avg", "list", "string_agg", "bool_and", "bool_or"})
"""Those that cannot fail for some rows where they do not fail for more."""


class PrefetchOutcome(Enum):
    """Result of running a statement ahead: `PROVEN` that it needs no other call, `UNPROVEN`, or `FAILED`."""

    PROVEN = "proven"
    UNPROVEN = "asked"
    FAILED = "failed"


@contextmanager
def prefetched(
    connection: duckdb.DuckDBPyConnection,
    session: Session,
    text: str,
    arguments: Any,
    open_binder: Callable[[str], duckdb.DuckDBPyConnection],
) -> Iterator[None]:
    """Make the statement's calls ahead; inside the block it runs and finds cached answers.

    Args:
        connection, session: where it will run.
        text: the statement.
        arguments: its parameters' values, as DuckDB's `execute` takes them; None: it has none.
        open_binder: makes another connection that can bind SQL which calls what the given SQL calls.
    """
    try:
        text, arguments = as_executed(connection, session, text, arguments)
        reading = _eligible(connection, session, text)
    except duckdb.Error:  # An aborted transaction, or wrong values of EXECUTE: the statement itself will say so.
        reading = None
    if reading is None:
        yield
        return
    if in_transaction(connection):
        with closing(open_binder(session.definitions.included(text))) as binder:
            Prefetch(reading, Runner(connection, session, arguments, binder)).run_in_transaction()
        yield
        return
    prefetch = Prefetch(reading, Runner(connection, session, arguments))
    prefetch.prepare()
    own = session.own_transaction
    own.begin(connection)
    try:
        outcome = _run_ahead(prefetch, session)
        if outcome is not PrefetchOutcome.PROVEN:
            session.answers = LiveAnswers(session)
        if outcome is PrefetchOutcome.FAILED:
            own.rollback(connection)
        yield
        if not prefetch.reading.is_whole_statement:
            own.commit(connection)
    except BaseException:
        own.rollback(connection)
        raise


def _run_ahead(prefetch: Prefetch, session: Session) -> PrefetchOutcome:
    """Run the statement ahead; a dry run that fails proves nothing."""
    try:
        return prefetch.run()
    except (duckdb.Error, RecursionError) as error:
        if session.statement.is_terminal:
            raise
        session.statement.note_unplanned(f"it cannot run ahead: {str(error).splitlines()[0]}")
        return PrefetchOutcome.FAILED


def _eligible(connection: duckdb.DuckDBPyConnection, session: Session, text: str) -> ModelQuery | None:
    """Return the statement if it may be run ahead."""
    if session.statement.scope.options.llm_prefetch == "off":
        return None
    try:
        definitions = read_definitions(connection, session, text)
        defined = definitions.calling(session.deployed | MODEL_FUNCTIONS)
        reading = parse_statement(connection, text, session.deployed, defined)
        reading = reading and without_volatile_items(connection, reading)
        reason = ineligible_reason(connection, reading, definitions) if reading else None
        if reading and not reason:
            return reading
    except UnplannedError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    if reason:
        session.statement.note_unplanned(reason)
    return None


def in_transaction(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the user's own transaction is open: another BEGIN would abort it, hence two looks at its number."""
    one, two = (execute_raw(connection, "SELECT current_transaction_id()") for _ in range(2))
    return one == two


class Prefetch:
    """One statement before it runs."""

    def __init__(self, reading: ModelQuery, runner: Runner) -> None:
        self._runner, self._session, self._arguments = runner, runner.session, runner.arguments
        self._ordered: list[OrderedWhere] = []
        self._early_stops: list[int] = []
        self._planned = self.reading = reading
        self._is_faithful = self._is_reduced = False

    def prepare(self) -> None:
        """Find out what can be evaluated by itself, while no transaction is open that an error would abort."""
        try:
            self._rewrite()
            if self._is_faithful:
                self._early_stops = [
                    place
                    for place, rows in early_stops(self._planned, self._arguments)
                    if (alone := replace(self._planned, tree=rows))
                    and limit_batches(flatten(alone), self._arguments)
                    and self._runner.binds(alone)
                ]
                if not self._early_stops:
                    self._planned, self._ordered = orderable(self._planned, self._runner)
        except (duckdb.Error, RecursionError):  # DuckDB cannot write it, or it is nested too deeply.
            self._is_faithful = False

    def _rewrite(self) -> None:
        """Put views and macros in, and reduce subqueries, if DuckDB can write the statement's tree."""
        self._is_faithful = is_faithful(self._runner.binder, self.reading.tree, self.reading.text)
        if self._is_faithful:
            self.reading = expand(self.reading, self._runner, self._session.definitions)
            reduced = reduce_subqueries(self.reading, self._runner)
            self._is_reduced = reduced.tree != self.reading.tree and self._runner.binds(reduced)
            self._planned = reduced if self._is_reduced else self.reading

    def run(self) -> PrefetchOutcome:
        """Send the statement's requests; return whether this proved that it needs no other.

        Every dry run sees the data that the statement itself will see: they share a transaction.

        Raises:
            duckdb.Error: a dry run failed, as the statement itself may.
        """
        self._session.answers = CachedAnswers(self._session)  # EXPLAIN folds constants: it would call models.
        if reason := unrepeatable_source(self._runner.binder, self.reading, self._arguments, self._session):
            self._session.statement.note_unplanned(reason)
            return PrefetchOutcome.FAILED
        if not self.reading.calls():
            name = self.reading.named_definitions()[0]
            self._session.statement.note_unplanned(
                f"{name} cannot be written into it: an argument is left to its default, or DuckDB plans it otherwise"
            )
            return PrefetchOutcome.UNPROVEN
        if not self._is_faithful:
            # Without numbers, a call that depends on another would go out early.
            if not self.reading.has_single_call():
                self._session.statement.note_unplanned("DuckDB does not write its tree as it reads it")
                return PrefetchOutcome.UNPROVEN
            self._runner.dry_run(self.reading.text, CallSites())
            return PrefetchOutcome.UNPROVEN
        for ordered in reversed(self._ordered):  # Those inside first: WHERE is copied with its subqueries.
            order_conditions(ordered, self._runner)
        tree, sites = number_call_sites(self._planned, self._session.number)
        numbered = replace(self._planned, tree=tree, names=NUMBERED_FUNCTIONS)
        stopped = self._stop_early(numbered, sites)
        guarded, flat = add_guards(stopped), flatten(stopped)
        batches = limit_batches(flat, self._arguments)
        if batches is not None and (not self._runner.is_in_transaction or batches.without_computed_columns()):
            self._prefetch_in_batches(batches, sites)
            guarded = restrict_to_cache(flat.tree, batches.model_condition, flat)
        is_rewritten = self._ordered or self._is_reduced or self.reading.is_merge
        is_unguarded = guarded == numbered.tree and not is_rewritten
        self._runner.dry_run(tree_sql(self._runner.binder, guarded), sites, needs_proof=not is_unguarded)
        return PrefetchOutcome.UNPROVEN if is_unguarded else PrefetchOutcome.PROVEN

    def run_in_transaction(self) -> None:
        """Send the statement's requests in the user's own transaction, unless that could end it with an error.

        What is rewritten is bound on another connection first. It runs only if missing answers make rows fewer and
        values NULL. Where that other connection does not see what the statement reads, the statement runs unrewritten.

        Raises:
            duckdb.Error: a dry run failed, as the statement itself would.
        """
        try:
            self._require_safe_dry_run()
            if self.run() is PrefetchOutcome.PROVEN:
                return
        except UnsteadyError as error:
            self._session.statement.note_unplanned(str(error))
        except UnboundError:
            self._session.statement.note_unplanned("an error of its dry run could end the transaction that is open")
        self._session.answers = LiveAnswers(self._session)

    def _require_safe_dry_run(self) -> None:
        """Require that the statement, with its views and macros put in, may run ahead in the user's own transaction.

        Raises:
            UnboundError: a missing answer could be an error (in HAVING, COALESCE, CASE), or the statement reads what
                only the user's transaction sees, such as a temporary table.
        """
        if not only_loses_rows(self.reading):
            raise UnboundError
        try:
            self._rewrite()
        except duckdb.Error as error:
            raise UnboundError from error
        if self._runner.plan(self.reading.text) is None or not only_loses_rows(self.reading):
            raise UnboundError

    def _stop_early(self, numbered: ModelQuery, sites: CallSites) -> ModelQuery:
        """Call models for the rows that decide the SELECTs inside; return the statement that calls none for others."""
        for place in self._early_stops:
            rows = dict(early_stops(numbered, self._arguments))[place]
            batches = limit_batches(flatten(replace(numbered, tree=rows)), self._arguments)
            if batches is not None:
                self._prefetch_in_batches(batches, sites)
                tree = restrict_to_cache(numbered.tree, batches.model_condition, numbered)
                numbered = replace(numbered, tree=tree)
        return numbered

    def _prefetch_in_batches(self, batches: LimitBatches, sites: CallSites) -> None:
        while True:
            sql = tree_sql(self._runner.binder, batches.batch())
            self._runner.dry_run(sql, sites)
            ((rows, passed),) = self._runner.rows(batches.count_passed(sql))
            if batches.is_satisfied(rows, passed):
                return


def only_loses_rows(reading: ModelQuery) -> bool:
    """Whether a statement of which answers are missing has fewer rows, NULLs, aggregates of less, and else the same."""
    tree = reading.tree
    if any(takes_null(node) and contains_call(node, reading.is_call) for node in walk(tree)):
        return False
    return all(
        not (select["group_expressions"] or select["having"]) and reading.is_row_by_row(select["select_list"])
        for select in selects(tree)
        if not (select is tree and _is_aggregated(select, reading))
    )


def _is_aggregated(select: Node, reading: ModelQuery) -> bool:
    """Whether the columns of a SELECT are plain aggregates, and keys that call no model."""
    if select["having"] or contains_call(select["group_expressions"], reading.is_call):
        return False
    return all(
        reading.is_row_by_row(item["arguments"] if is_function(item) and item["function_name"] in AGGREGATES else item)
        for item in select["select_list"]
    )
