"""What the peers' scripts share: the job comes in as JSON, what was measured goes out as JSON.

Only the standard library: each script runs in an environment of its own, where nothing of ours is installed.
The service counts the calls, so a peer cannot miscount its own.
"""

from __future__ import annotations

import json
import sys
import traceback
import urllib.request
from collections.abc import Callable
from time import perf_counter
from typing import Any

Question = dict[str, Any]


def read() -> dict[str, Any]:
    """Return the job: url, key, concurrency, cache (an empty folder), databases, questions."""
    job: dict[str, Any] = json.load(sys.stdin)
    return job


def measure(job: dict[str, Any], ask: Callable[[Question], int]) -> None:
    """Ask each question, and print what it took; a question that fails says why, and the others go on.

    Args:
        job: what `read` returned.
        ask: runs one question and returns the number of its rows.
    """
    ask(job["warm_up"])
    print(json.dumps([_measured(job, question, ask) for question in job["questions"]]))


def _measured(job: dict[str, Any], question: Question, ask: Callable[[Question], int]) -> dict[str, Any]:
    before = _state(job)
    started = perf_counter()
    try:
        told: dict[str, Any] = {"rows": ask(question)}
    except Exception as error:  # A peer may raise anything: it is told, not hidden.
        traceback.print_exc()
        told = {"error": f"{type(error).__name__}: {error}"}
    seconds = perf_counter() - started
    spent = {name: value - before[name] for name, value in _state(job).items()}
    return {"name": question["name"], "seconds": seconds, **spent, **told}


def _state(job: dict[str, Any]) -> dict[str, int]:
    with urllib.request.urlopen(job["state"], timeout=30) as reply:
        state = json.loads(reply.read())
    return {name: state[name] for name in ("count", "input_tokens", "output_tokens")}
