"""The answers that a running statement holds in memory, so that it need not read them from the store again."""

from __future__ import annotations

from ...workers.messages import Request, Response
from ..settings import StoreMode

# Approximate size limit. When it is reached, new answers are not added and are read from the store. Nothing is evicted:
# a table is scanned in order several times, so LRU would evict exactly what is needed next.
MAX_BYTES = 128_000_000
OVERHEAD_BYTES = 1_000  # Approximate size of an answer without its texts.


class StatementCache:
    """Complete answers by model, store mode and request, up to about `MAX_BYTES` with what others reserve of it."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, StoreMode, Request], Response] = {}
        self._room = MAX_BYTES

    def get(self, key: tuple[str, StoreMode, Request]) -> Response | None:
        """Return the answer; None if it is not in memory."""
        return self._answers.get(key)

    def pop(self, key: tuple[str, StoreMode, Request]) -> Response | None:
        """Return the answer and drop it; None if it is not in memory."""
        response = self._answers.pop(key, None)
        self._room += _size(response) if response else 0
        return response

    def put(self, key: tuple[str, StoreMode, Request], response: Response | None) -> None:
        """Add the answer, if it is new and complete and the limit is not reached."""
        if response is not None and response.is_complete and key not in self._answers and self.reserve(_size(response)):
            self._answers[key] = response

    def reserve(self, size: int) -> bool:
        """Take so many bytes of the memory for the statement's answers; return False, and take none, if it is full."""
        if self._room <= 0:
            return False
        self._room -= size
        return True


def _size(response: Response) -> int:
    texts = sum(len(message.content) for message in response.history)
    return OVERHEAD_BYTES + texts + len(response.embedding or b"")
