"""An answer as the call store holds it: MessagePack with a checksum, a vector as the bytes of its 32-bit numbers."""

from __future__ import annotations

import sys
from array import array
from zlib import crc32

import msgspec

from ...workers.messages import Response, Usage
from .request_key import Key

CHECKSUM_BYTES = 4


class DamagedAnswerError(ValueError):
    """What the store holds is not what was written there."""


class StoredAnswer(msgspec.Struct, array_like=True, gc=False):
    """The fields of a whole answer; the statement adds the model and the history."""

    output: str | None
    reasoning: str | None
    input_tokens: int
    output_tokens: int
    seconds: float
    request_id: str | None
    embedding: bytes | None
    tool_calls: str | None


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(StoredAnswer)


def encode_answer(key: Key, response: Response) -> bytes:
    """Return the bytes to store under that key.

    Raises:
        DamagedAnswerError: the response holds what could not be read again, e.g. a number as its text.
    """
    usage, vector = response.usage, response.embedding
    try:
        stored = StoredAnswer(
            response.output,
            response.reasoning,
            usage.input_tokens,
            usage.output_tokens,
            response.seconds,
            response.request_id,
            None if vector is None else _little_endian(array("f", vector)).tobytes(),
            response.tool_calls,
        )
        content = ENCODER.encode(stored)
        DECODER.decode(content)
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, OverflowError) as error:
        raise DamagedAnswerError(f"the answer cannot be stored: {error}") from error
    return content + _checksum(key, content)


def decode_answer(key: Key, stored: object) -> Response:
    """Return the answer that is stored under that key.

    Args:
        key: its key, which the checksum covers as well.
        stored: what the file holds; bytes, where nothing has damaged it.

    Raises:
        DamagedAnswerError: it is not what was written.
    """
    if not isinstance(stored, bytes) or stored[-CHECKSUM_BYTES:] != _checksum(key, stored[:-CHECKSUM_BYTES]):
        raise DamagedAnswerError("the stored answer does not match its checksum")
    try:
        found = DECODER.decode(stored[:-CHECKSUM_BYTES])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DamagedAnswerError(f"the stored answer cannot be read: {error}") from error
    return Response(
        found.output,
        found.reasoning,
        usage=Usage(found.input_tokens, found.output_tokens),
        seconds=found.seconds,
        request_id=found.request_id,
        embedding=None if found.embedding is None else tuple(_little_endian(array("f", found.embedding))),
        tool_calls=found.tool_calls,
    )


def _checksum(key: Key, content: bytes) -> bytes:
    return crc32(content, crc32(key)).to_bytes(CHECKSUM_BYTES, "little")


def _little_endian(numbers: array[float]) -> array[float]:
    """Swap the bytes on a machine that has the other order: a store can be copied to any machine."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
