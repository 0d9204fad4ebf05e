"""A call that was made, as the call store records it."""

from __future__ import annotations

from dataclasses import dataclass

from ...workers.messages import Response
from .request_key import Key

PROMPT_CHARACTERS = 200
"""How much of a prompt `llm_calls()` shows."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call that was made: which, of which model and engine, and what came back."""

    key: Key
    model: str
    engine: str
    prompt: str
    response: Response
