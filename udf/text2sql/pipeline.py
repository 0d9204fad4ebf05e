"""The text-to-SQL pipeline: prepare a question, draw answers that pass the checks, vote, say how sure the winner is."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from ...workers.errors import RequestError
from ...workers.messages import Failure, Message, Request, Usage
from .confidence.doubts import Doubt
from .confidence.query_rows import RunQuery
from .confidence.score import calibrated, score
from .confidence.sql_facts import same_query
from .confidence.votes import Ballot
from .draw import ONE_VOTE_FORMATS, PARTS, Complete, Draw, PreparedQuestion, SqlCandidate, SqlModel, TargetCheck
from .prompts.background import ASKED_BACK, NO_BACKGROUND, Background, join_clarifications
from .prompts.find_cells import FindCells, with_cells
from .prompts.formats import PromptFormat
from .prompts.select_schema import select_schema
from .prompts.value_matching import match_values, near_cells
from .result import Text2SqlResult, decline_if_unsure
from .schema.resolve import ResolvedSchema

MAX_ALTERNATIVES = 5
MAX_VALUES = 20  # Cells that a prompt shows.


@dataclass(frozen=True, slots=True)
class Effort:
    """How a question is answered, beside its model.

    Args:
        background: notes, examples, today's date.
        votes: how many draws there may be; they end as soon as the result is decided.
        run: runs SQL under caps, to check its rows and to group votes; None: nothing is run.
        find_cells: finds cells in all rows of the database; None: the sampled values must do.
        others: further models; the draws go round all of them.
        min_confidence: the question is declined if the answer is less sure than that.
        parts: what is done beside asking the model; see `draw.PARTS`.
    """

    background: Background = NO_BACKGROUND
    votes: int = 1
    run: RunQuery | None = None
    find_cells: FindCells | None = None
    others: tuple[SqlModel, ...] = ()
    min_confidence: float = 0.0
    parts: frozenset[str] = PARTS


PLAIN = Effort()


async def generate_sql(
    question: str | Request,
    schema: ResolvedSchema,
    form: PromptFormat,
    complete: Complete,
    *,
    max_repairs: int = 3,
    fit: TargetCheck | None = None,
    effort: Effort = PLAIN,
) -> Text2SqlResult:
    """Return the SQL that answers a question.

    Args:
        question: a text, or a request whose messages are earlier questions and their SQL, the newest question last.
            Its options go along with every attempt.
        schema: the schema to query.
        form: the model's prompt form.
        complete: sends one request to the model.
        max_repairs: how often an error of the guard or DuckDB is sent back to the model.
        fit: SQL that passed → its translation for the database where it will run, or that database's error.
        effort: notes, votes, and whether SQL is run.

    Raises:
        RequestError: the newest turn is not a question.
    """
    request = Request.of(question) if isinstance(question, str) else question
    if not request.messages or request.messages[-1].role != "user":
        raise RequestError("the last message is not a question", hint="llm_stack(previous, 'the next question')")
    prepared = await asyncio.to_thread(prepare, request, schema, effort)
    prepared = replace(prepared, fit=fit, max_repairs=max_repairs)
    models = [SqlModel(form, complete), *effort.others]
    ballot, draws = await _vote(prepared, models, effort.votes)
    result = await asyncio.to_thread(_result, prepared, draws, ballot)
    unread = _unread(effort.background) if all(model.form.name in ONE_VOTE_FORMATS for model in models) else ()
    result = replace(result, warnings=(*result.warnings, *unread, *effort.background.notes.warnings))
    return decline_if_unsure(result, effort.min_confidence, request.messages[:-1])


def prepare(request: Request, schema: ResolvedSchema, effort: Effort = PLAIN) -> PreparedQuestion:
    """Return a question with all that its prompt needs: the cells that it mentions, and its part of the schema."""
    turns = join_clarifications(request.messages)
    question = turns[-1].content
    if effort.find_cells and "values" in effort.parts:
        schema = replace(schema, schema=with_cells(schema.schema, effort.find_cells(question, schema.schema)))
    values = match_values(question, schema.schema)
    more = (match for match in near_cells(question, schema.schema) if match not in values)
    near = tuple(islice(dict.fromkeys(more), MAX_VALUES - len(values))) if "values" in effort.parts else ()
    shown = select_schema(schema.schema, " ".join(m.content for m in turns if m.role == "user"), (*values, *near))
    turns = effort.background.added_to(turns, [f"{table} {column}" for table, column, _ in values])
    return PreparedQuestion(request, turns, schema, shown, values, near, run=effort.run, parts=effort.parts)


def _unread(background: Background) -> tuple[str, ...]:
    """Return a warning if there is something that the built-in model cannot read."""
    given = [name for name, one in (("notes", background.notes.text), ("examples", background.examples)) if one]
    return (f"the built-in model does not read the {' and '.join(given)}; a deployed model does",) if given else ()


async def _vote(prepared: PreparedQuestion, models: Sequence[SqlModel], votes: int) -> tuple[Ballot, list[Draw]]:
    """Make draws until the vote is decided; those that can decide it are made together."""
    if all(model.form.name in ONE_VOTE_FORMATS for model in models):
        votes = min(votes, len(models))
    ballot, draws = Ballot(max(votes, 1)), list[Draw]()
    keys: list[tuple[Hashable, SqlCandidate]] = []
    turns = cycle(models)
    while not ballot.is_decided:
        new = [
            Draw(prepared, model, (ballot.cast + n) // len(models))
            for n, model in enumerate(islice(turns, ballot.needed))
        ]
        for draw in await asyncio.gather(*(each.make() for each in new)):
            draws.append(draw)
            ballot.add(await asyncio.to_thread(_vote_key, draw.best, keys, prepared))
    return ballot, draws


def _vote_key(
    candidate: SqlCandidate | None, keys: list[tuple[Hashable, SqlCandidate]], prepared: PreparedQuestion
) -> Hashable | None:
    """Return what equal answers share: the rows, or a query that means the same where none was run."""
    if candidate is None:
        return None
    if candidate.rows is not None and candidate.rows.error:
        return object()  # A vote that agrees with no other.
    if candidate.rows is not None:
        return candidate.rows.key()
    for key, other in keys:
        if other.sql == candidate.sql or same_query(other.sql, candidate.sql, prepared.schema.schema):
            return key
    keys.append((candidate.sql, candidate))
    return candidate.sql


def _result(prepared: PreparedQuestion, draws: Sequence[Draw], ballot: Ballot) -> Text2SqlResult:
    number = ballot.winner()
    draw = draws[number if number is not None else 0]
    usage = Usage(sum(each.usage.input_tokens for each in draws), sum(each.usage.output_tokens for each in draws))
    result = Text2SqlResult(
        None,
        draw.failure,
        sum(each.attempts for each in draws),
        False,
        draw.model_name,
        _history(prepared.request.messages, draw.failure),
        usage,
        sum(each.seconds for each in draws),
        prepared.schema.left_out,
        prompt=prompt_text(draw.prompt),
    )
    best = draw.best
    if number is None or best is None:
        return result
    doubts = [*best.doubts, *(Doubt("model", text) for text in best.remarks.warnings)]
    raw = score(
        best.remarks.confidence,
        ballot.agreement if ballot.votes > 1 else None,
        doubts,
        attempts=best.attempts,
        bound=prepared.schema.bindable,
    )
    return replace(
        result,
        sql=best.fitted,
        error=None,
        bound=prepared.schema.bindable,
        history=(*prepared.request.messages, Message("assistant", best.fitted)),
        confidence=calibrated(raw, draw.model_name),
        alternatives=_alternatives(best, draws, ballot),
        warnings=tuple(dict.fromkeys((*(doubt.text for doubt in doubts), *best.changes))),
    )


def _history(messages: tuple[Message, ...], failure: Failure) -> tuple[Message, ...]:
    """Return the conversation after a failed turn: up to the last success, or with the question that was asked back."""
    if failure.code == "unclear":
        return (*messages, Message("assistant", f"{ASKED_BACK}{failure.message}"))
    return messages[:-1]


def _alternatives(best: SqlCandidate, draws: Sequence[Draw], ballot: Ballot) -> tuple[str, ...]:
    """Return the other queries that bind: of the other groups of votes, then of the winner's own draw."""
    others = [draws[number].best for number in ballot.others()]
    found = [each.fitted for each in others if each]
    found += [each.fitted for draw in draws for each in draw.candidates]
    return tuple(sql for sql in dict.fromkeys(found) if sql != best.fitted)[:MAX_ALTERNATIVES]


def prompt_text(messages: Sequence[Message]) -> str:
    """Return messages as one text, each below its role."""
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


__all__ = ["Complete", "Effort", "TargetCheck", "generate_sql", "prompt_text"]
