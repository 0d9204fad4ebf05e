"""What is behind `FROM llm_models()`, `llm_calls()`, `llm_usage()`, `llm_estimate()`, `ai_explain()`, `llm_forget`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ...workers import event_loop
from ...workers.errors import RequestError
from ...workers.serving.fleet import ModelStatus
from ..calls.async_store import forget_answers
from ..calls.call_store import CallStore
from ..calls.prices import add_cost
from ..session.session import Session

MODELS_SQL = (
    "STRUCT(name VARCHAR, type VARCHAR, workers INTEGER, alive INTEGER, restarts INTEGER, under_way BIGINT, "
    "answered BIGINT, failed BIGINT, is_default BOOLEAN, place VARCHAR)[]"
)
CALLS_SQL = (
    "STRUCT(id BIGINT, asked_at TIMESTAMP, model VARCHAR, engine VARCHAR, prompt VARCHAR, finish_reason VARCHAR, "
    "code VARCHAR, input_tokens BIGINT, output_tokens BIGINT, seconds DOUBLE, request_id VARCHAR, money DOUBLE, "
    "function VARCHAR, messages STRUCT(role VARCHAR, content VARCHAR)[], statement VARCHAR)[]"
)
USAGE_SQL = (
    "STRUCT(model VARCHAR, engine VARCHAR, calls BIGINT, failed BIGINT, input_tokens BIGINT, output_tokens BIGINT, "
    "seconds DOUBLE, money DOUBLE)[]"
)
ESTIMATE_SQL = (
    "STRUCT(model VARCHAR, rows BIGINT, calls BIGINT, known BIGINT, to_ask BIGINT, input_tokens BIGINT, "
    "output_tokens BIGINT, money DOUBLE, at_most BOOLEAN)[]"
)
EXPLAIN_SQL = (
    "STRUCT(step BIGINT, function VARCHAR, call VARCHAR, model VARCHAR, calls BIGINT, known BIGINT, to_ask BIGINT, "
    "selectivity DOUBLE, input_tokens BIGINT, output_tokens BIGINT, money DOUBLE, at_most BOOLEAN, accuracy DOUBLE, "
    "recall DOUBLE, precision DOUBLE, confidence DOUBLE, hint VARCHAR)[]"
)
NUMBER, TEXT = pa.int64(), pa.string()
STATED = ("accuracy", "recall", "precision", "confidence")
USAGE_FIELDS = {"input_tokens": NUMBER, "output_tokens": NUMBER, "seconds": pa.float64()}
MODEL = pa.struct(
    {
        **{"name": TEXT, "type": TEXT, "workers": pa.int32(), "alive": pa.int32(), "restarts": pa.int32()},
        **{"under_way": NUMBER, "answered": NUMBER, "failed": NUMBER, "is_default": pa.bool_(), "place": TEXT},
    }
)
CALL = pa.struct(
    {
        **{"id": NUMBER, "asked_at": pa.timestamp("us"), "model": TEXT, "engine": TEXT, "prompt": TEXT},
        **{"finish_reason": TEXT, "code": TEXT, **USAGE_FIELDS, "request_id": TEXT, "money": pa.float64()},
        **{"function": TEXT, "messages": pa.list_(pa.struct({"role": TEXT, "content": TEXT})), "statement": TEXT},
    }
)
USAGE = pa.struct(
    {"model": TEXT, "engine": TEXT, "calls": NUMBER, "failed": NUMBER, **USAGE_FIELDS, "money": pa.float64()}
)
ESTIMATE = pa.struct(
    {
        **{"model": TEXT, "rows": NUMBER, "calls": NUMBER, "known": NUMBER, "to_ask": NUMBER},
        **{"input_tokens": NUMBER, "output_tokens": NUMBER, "money": pa.float64(), "at_most": pa.bool_()},
    }
)

STEP = pa.struct(
    {
        **{"step": NUMBER, "function": TEXT, "call": TEXT, "model": TEXT, "calls": NUMBER, "known": NUMBER},
        **{"to_ask": NUMBER, "selectivity": pa.float64(), "input_tokens": NUMBER, "output_tokens": NUMBER},
        **{"money": pa.float64(), "at_most": pa.bool_(), **dict.fromkeys(STATED, pa.float64()), "hint": TEXT},
    }
)


def models(session: Session) -> pa.Array:
    """Return every deployed model with the current state of its workers."""
    fleet = session.fleet
    rows = [_model(session, fleet.status(name)) for name in sorted(fleet.deployed())]
    return pa.array([rows], pa.list_(MODEL))


def _model(session: Session, status: ModelStatus) -> dict[str, Any]:
    replicas, spec = status.replicas, status.spec
    return {
        "name": spec.name,
        "type": spec.type,
        "workers": spec.num_workers,
        "alive": sum(replica.alive for replica in replicas),
        "restarts": sum(max(0, replica.starts - 1) for replica in replicas),
        "under_way": sum(replica.under_way for replica in replicas),
        "answered": sum(replica.answered for replica in replicas),
        "failed": sum(replica.failed for replica in replicas),
        "is_default": spec.name == session.model or len(session.fleet.deployed()) == 1,
        "place": session.fleet.description,
    }


def calls(session: Session, max_calls: pa.ChunkedArray, before: pa.ChunkedArray) -> pa.Array:
    """Return the recorded calls, newest first.

    Args:
        session: the connection's session.
        max_calls: the maximum number of calls.
        before: only calls with a smaller id, to read the next page; NULL: from the newest.
    """
    limit, below = max_calls[0].as_py(), before[0].as_py()
    rows = event_loop.run_sync(session.client.store.call(CallStore.calls, limit, below))
    for row in rows:
        row["asked_at"] = datetime.fromtimestamp(row.pop("at"), UTC).replace(tzinfo=None)
        context = row.pop("context")
        row["messages"] = [*json.loads(context or "[]"), {"role": "user", "content": row["prompt"]}]
    add_cost(rows)
    return pa.array([rows], pa.list_(CALL))


def usage(session: Session) -> pa.Array:
    """Return calls, tokens, seconds and money by model."""
    rows = event_loop.run_sync(session.client.store.call(CallStore.usage))
    add_cost(rows)
    return pa.array([rows], pa.list_(USAGE))


def estimate(session: Session, statements: pa.ChunkedArray) -> pa.Array:
    """Return the estimate of the given statement, which was made before the running statement started.

    Raises:
        RequestError: the argument is not a constant text.
    """
    sql = statements[0].as_py()
    if sql not in session.estimates:
        hint = "write FROM llm_estimate('SELECT chat(…) FROM …'), or quackllm.estimate(connection, sql)"
        raise RequestError("llm_estimate takes one constant text", hint=hint)
    return pa.array([[asdict(found) for found in session.estimates[sql]]], pa.list_(ESTIMATE))


def explain(session: Session, statements: pa.ChunkedArray) -> pa.Array:
    """Return the calls of the given statement, which were found before the running statement started.

    Raises:
        RequestError: the argument is not a constant text.
    """
    sql = statements[0].as_py()
    if sql not in session.explanations:
        raise RequestError("ai_explain takes one constant text", hint="write FROM ai_explain('SELECT ai_filter(…) …')")
    rows = [
        {
            **asdict(found.estimate),
            **{"step": found.step, "function": found.function, "call": found.expression},
            **{"selectivity": found.selectivity, "hint": found.hint},
            **{name: found.guarantee.get(name) for name in STATED},
        }
        for found in session.explanations[sql]
    ]
    return pa.array([[{name: row[name] for name in STEP.names} for row in rows]], pa.list_(STEP))


def forget(session: Session, models: pa.ChunkedArray, seconds: pa.ChunkedArray) -> pa.Array:
    """Delete answers from the store, and return how many were deleted.

    Args:
        session: the connection's session.
        models: only this model's answers; NULL: all.
        seconds: only answers of at least this age.
    """
    model, older = models[0].as_py(), float(seconds[0].as_py())
    forgotten = event_loop.run_sync(forget_answers(session.client.store, model, older))
    return pa.array([forgotten] * len(models), NUMBER)
