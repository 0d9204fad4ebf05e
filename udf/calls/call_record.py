"""A finished call, as the call store records it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ...workers.messages import Message, Response
from .request_key import Key


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A finished call.

    Args:
        key: of its request.
        model, engine: who answered.
        prompt: the last message.
        response: the answer.
        context: the messages before the last one, from `context_json`; '' for none.
        function: the SQL function that made the request; '' where nobody said.
        statement: the SQL statement that paid; '' for a call that no statement made.
        price_part: the part of the usual price that it cost, e.g. 0.5 in a batch.
    """

    key: Key
    model: str
    engine: str
    prompt: str
    response: Response
    context: str = ""
    function: str = ""
    statement: str = ""
    price_part: float = 1.0


def context_json(messages: Sequence[Message]) -> str:
    """Return the messages before the last one as a JSON list of `{role, content}`; '' for none."""
    before = [{"role": message.role, "content": message.content} for message in messages[:-1]]
    return json.dumps(before, ensure_ascii=False) if before else ""
