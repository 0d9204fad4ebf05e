"""Answers the requests of a chunk: each distinct request once, from the running statement's source of answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import chain
from typing import Any, TypeAlias, cast

import pyarrow as pa

from ...workers.errors import RequestError
from ...workers.messages import Request, Response
from ..planner.modes import CACHE_ONLY, SITE_MARK, CachedAnswers, MemoizedAnswers
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..session.statement import Statement
from ..settings import StoreMode, load_settings
from .answer_table import AnswerTable

Column: TypeAlias = pa.ChunkedArray


def answer_distinct(
    session: Session, names: Column, requests: Sequence[Request | None], mode: Column, *, note_failures: bool = True
) -> tuple[list[Response | None], list[int | None]]:
    """Answer each distinct request of a chunk once; return the answers, and for each row the index of its answer.

    In a dry run, None stands for an answer that is missing so far. Failures are counted with the statement, unless the
    caller counts them.
    """
    positions: list[int | None] = []
    distinct: dict[tuple[str | None, Request], int] = {}
    for name, request in zip(names.to_pylist(), requests, strict=True):
        positions.append(distinct.setdefault((name, request), len(distinct)) if request else None)
    answers: dict[int, Response | None] = {}
    source = MemoizedAnswers(session, answer_source(session, mode))
    for model in dict.fromkeys(name for name, _ in distinct):
        chosen = {position: request for (name, request), position in distinct.items() if name == model}
        spec = session.resolve_model(model)
        session.statement.rows[spec.name] += sum(position in chosen for position in positions)
        found = source.responses(spec, list(chosen.values()), store_mode(mode))
        answers |= zip(chosen, found, strict=True)
    for row, position in distinct.items():
        if note_failures and (response := answers[position]) is not None:
            session.statement.note_failure(row, response.error)
    return [answers[position] for position in range(len(distinct))], positions


def answer_column(
    session: Session,
    names: Column,
    keys: Sequence[Hashable],
    make_request: Callable[[Any], Request],
    mode: Column,
    to_arrow: Callable[[Sequence[Response | None]], pa.Array],
) -> pa.Array:
    """Return a chunk's answers as a column: NULL for a key that is None, and for an answer that is missing so far.

    Args:
        session: the connection's.
        names: the models; NULL for the default.
        keys: one for each row; equal keys stand for equal requests.
        make_request: makes a key's request.
        mode: the store mode of this very call, else the statement's.
        to_arrow: makes the column of distinct answers; the function's own, for it tells the tables apart.
    """
    models = names.unique().to_pylist()
    if len(models) == 1:
        return _answers_of_model(session, models[0], keys, make_request, mode, to_arrow)
    rows = [[row for row, name in enumerate(names.to_pylist()) if name == model] for model in models]
    parts = [
        _answers_of_model(session, model, [keys[row] for row in chosen], make_request, mode, to_arrow)
        for model, chosen in zip(models, rows, strict=True)
    ]
    order = sorted(range(len(keys)), key=list(chain.from_iterable(rows)).__getitem__)
    return pa.concat_arrays(parts or [to_arrow([])]).take(pa.array(order, pa.int32()))


def _answers_of_model(
    session: Session,
    model: str | None,
    keys: Sequence[Hashable],
    make_request: Callable[[Any], Request],
    mode: Column,
    to_arrow: Callable[[Sequence[Response | None]], pa.Array],
) -> pa.Array:
    if not (count := len(keys) - keys.count(None)):
        return to_arrow([None] * len(keys))
    statement, spec, chosen = session.statement, session.resolve_model(model), store_mode(mode)
    statement.rows[spec.name] += count
    source = MemoizedAnswers(session, answer_source(session, mode), hand_over=True)

    def find(missing: list[Hashable]) -> tuple[pa.Array, list[bool]]:
        requests = [make_request(key) for key in missing]
        responses = source.responses(spec, requests, chosen)
        for request, response in zip(requests, responses, strict=True):
            if response is not None:
                statement.note_failure((model, request), response.error)
        return to_arrow(responses), [response is not None and response.is_complete for response in responses]

    return _answer_table(statement, to_arrow, spec.name, chosen).answers(keys, find)


def _answer_table(
    statement: Statement, to_arrow: Callable[[Sequence[Response | None]], pa.Array], model: str, mode: StoreMode
) -> AnswerTable:
    name = (to_arrow, model, mode)
    if name not in statement.answer_tables:  # Of two threads, both use the table that came first.
        statement.answer_tables.setdefault(name, AnswerTable(to_arrow([]).type, statement.scope.answers))
    table: AnswerTable = statement.answer_tables[name]
    return table


def answer_source(session: Session, mode: Column) -> AnswerSource:
    """Return how the requests of this call site become answers; a dry run may allow it no more than the cache."""
    _, _, site = (mode[0].as_py() or "").partition(SITE_MARK)
    if site == CACHE_ONLY:
        return CachedAnswers(session)
    return session.answers.at_site(int(site)) if site else session.answers


def store_mode(column: Column) -> StoreMode:
    """Return the value of the SQL variable `llm_store`, or that in `settings.yaml` if it is not set.

    Raises:
        RequestError: the variable has another value.
    """
    chosen, _, _ = (column[0].as_py() or "").partition(SITE_MARK)
    mode = chosen or load_settings().llm_store
    if mode not in ("on", "off", "refresh"):
        raise RequestError(f"llm_store is {mode!r}", hint="type: SET VARIABLE llm_store = 'on'   ('off', 'refresh')")
    return cast(StoreMode, mode)
