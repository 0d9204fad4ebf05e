"""The way of a chunk's requests: each distinct one is answered once, by what the running statement answers from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import pyarrow as pa

from ...workers.errors import RequestError
from ...workers.messages import Request, Response
from ..planner.modes import CACHE_ONLY, CachedAnswers, MemoizedAnswers
from ..session.answer_source import AnswerSource
from ..session.session import Session
from ..settings import StoreMode, load_settings

Column: TypeAlias = pa.ChunkedArray


def answer_distinct(
    session: Session, names: Column, requests: Sequence[Request | None], mode: Column, *, note_failures: bool = True
) -> tuple[list[Response | None], list[int | None]]:
    """Ask each distinct request of a chunk once; return the answers and each row's place among them.

    None stands for an answer that is not there yet, where the statement is only rehearsed. What failed is counted with
    the statement, unless the caller will.
    """
    places: list[int | None] = []
    distinct: dict[tuple[str | None, Request], int] = {}
    for name, request in zip(names.to_pylist(), requests, strict=True):
        places.append(distinct.setdefault((name, request), len(distinct)) if request else None)
    answers: dict[int, Response | None] = {}
    source = MemoizedAnswers(session, answer_source(session, mode))
    for model in dict.fromkeys(name for name, _ in distinct):
        chosen = {place: request for (name, request), place in distinct.items() if name == model}
        spec = session.resolve_model(model)
        session.statement.rows[spec.name] += sum(place in chosen for place in places)
        found = source.responses(spec, list(chosen.values()), store_mode(mode))
        answers |= zip(chosen, found, strict=True)
    for asked, place in distinct.items():
        if note_failures and (response := answers[place]) is not None:
            session.statement.note_failure(asked, response.error)
    return [answers[place] for place in range(len(distinct))], places


def answer_source(session: Session, mode: Column) -> AnswerSource:
    """Return how the statement's requests become answers; a rehearsal may forbid single calls to ask."""
    return CachedAnswers(session) if mode[0].as_py() == CACHE_ONLY else session.answers


def store_mode(column: Column) -> StoreMode:
    """Return what the SQL variable `llm_store` says, else `settings.yaml`.

    Raises:
        RequestError: it says something else.
    """
    mode = column[0].as_py() or load_settings().llm_store
    if mode == CACHE_ONLY:
        return load_settings().llm_store
    if mode not in ("on", "off", "refresh"):
        raise RequestError(f"llm_store is {mode!r}", hint="type: SET VARIABLE llm_store = 'on'   ('off', 'refresh')")
    return cast(StoreMode, mode)
