"""What goes between a sandbox and its child: frames of eight bytes of length, then a pickle.

The child trusts its parent. The parent does not trust the child, where a stranger's SQL has run: it takes plain values
only, and no more of them than it can hold.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import IO, Any

HEADER = struct.Struct("!Q")
MAX_RESULT_BYTES = 8 << 20
"""A larger result is refused: the parent, which must not grow, would hold it several times over."""


def read_frame(stream: IO[bytes], max_bytes: int | None = None) -> bytes:
    """Return the next frame.

    Raises:
        EOFError: the other side is gone, or sends more bytes than `most`.
    """
    header = stream.read(HEADER.size)
    length = HEADER.unpack(header)[0] if len(header) == HEADER.size else 0
    body = stream.read(length) if max_bytes is None or length <= max_bytes else b""
    if not length or len(body) < length:
        raise EOFError
    return body


def write_frame(stream: IO[bytes], body: bytes) -> None:
    """Send a frame."""
    stream.write(HEADER.pack(len(body)) + body)
    stream.flush()


def plain_value(body: bytes) -> Any:
    """Return what a frame holds: numbers, text, bytes and containers of them.

    Raises:
        pickle.UnpicklingError: it holds anything else.
    """
    return _PlainUnpickler(io.BytesIO(body)).load()


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is not a plain value")
