"""What a running statement remembers of the answers that it has read."""

from __future__ import annotations

from ...workers.messages import Request, Response
from ..settings import StoreMode

MAX_BYTES = 128_000_000
"""Bytes, about: beyond it answers are read from the call store again. What is there stays: a table is read in order,
more than once, so that the oldest answers would always be the ones to go and the next ones to be read."""
OVERHEAD_BYTES = 1_000
"""Bytes of an answer beside its texts."""


class AnswerCache:
    """Whole answers by model, store mode and request, as many as there is room for."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, StoreMode, Request], Response] = {}
        self._room = MAX_BYTES

    def get(self, asked: tuple[str, StoreMode, Request]) -> Response | None:
        """Return the answer, if it is remembered."""
        return self._answers.get(asked)

    def put(self, asked: tuple[str, StoreMode, Request], response: Response | None) -> None:
        """Remember the answer if it is new and whole and there is room for it."""
        if response is not None and response.is_complete and self._room > 0 and asked not in self._answers:
            self._answers[asked] = response
            texts = sum(len(message.content) for message in response.history)
            self._room -= OVERHEAD_BYTES + texts + 8 * len(response.embedding or ())
