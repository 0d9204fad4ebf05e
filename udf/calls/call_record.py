"""A finished call, as the call store records it."""

from __future__ import annotations

from dataclasses import dataclass

from ...workers.messages import Response
from .request_key import Key

PROMPT_CHARACTERS = 200  # Length of the prompt that `llm_calls()` shows.


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A finished call: its key, model, engine, prompt and response."""

    key: Key
    model: str
    engine: str
    prompt: str
    response: Response
