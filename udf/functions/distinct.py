"""Answers the requests of a chunk: each distinct request once, from the running statement's source of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import pyarrow as pa

from ...workers.errors import RequestError
from ...workers.messages import Request, Response
from ..planner.modes import CACHE_ONLY, SITE_MARK, CachedAnswers, MemoizedAnswers
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..settings import StoreMode, load_settings

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
