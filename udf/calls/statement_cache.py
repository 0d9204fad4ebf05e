"""The answers that a running statement holds in memory, so that it need not read them from the store again."""

from __future__ import annotations

from ...workers.messages import Request, Response
from ..settings import StoreMode

# Approximate size limit. When it is reached, new answers are not added and are read from the store. Nothing is evicted:
# a table is scanned in order several times, so LRU would evict exactly what is needed next.
MAX_BYTES = 128_000_000
OVERHEAD_BYTES = 1_000  # Approximate size of an answer without its texts.


class StatementCache:
    """Complete answers by model, store mode and request, up to about `MAX_BYTES`."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, StoreMode, Request], Response] = {}
        self._room = MAX_BYTES

    def get(self, key: tuple[str, StoreMode, Request]) -> Response | None:
        """Return the answer; None if it is not in memory."""
        return self._answers.get(key)

    def put(self, key: tuple[str, StoreMode, Request], response: Response | None) -> None:
        """Add the answer, if it is new and complete and the limit is not reached."""
        if response is not None and response.is_complete and self._room > 0 and key not in self._answers:
            self._answers[key] = response
            texts = sum(len(message.content) for message in response.history)
            self._room -= OVERHEAD_BYTES + texts + 8 * len(response.embedding or ())
