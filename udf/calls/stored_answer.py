"""The format of stored answers: MessagePack with a checksum; a vector is the bytes of its 32-bit numbers."""

from __future__ import annotations

from zlib import crc32

import msgspec

from ...workers.messages import Response, TokenLogprobs, Usage
from .request_key import Key

CHECKSUM_BYTES = 4


class DamagedAnswerError(ValueError):
    """The stored bytes are not the bytes that were written, or the answer cannot be written."""


class StoredAnswer(msgspec.Struct, array_like=True, gc=False):
    """The fields of a complete answer; the client adds the model and the history."""

    output: str | None
    reasoning: str | None
    input_tokens: int
    output_tokens: int
    seconds: float
    request_id: str | None
    embedding: bytes | None
    tool_calls: str | None
    logprobs: tuple[TokenLogprobs, ...] | None = None  # Answers of earlier releases end before it.


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(StoredAnswer)


def encode_answer(key: Key, response: Response) -> bytes:
    """Return the bytes to store under this key.

    Raises:
        DamagedAnswerError: the response could not be read again, e.g. because its text is a number.
    """
    usage = response.usage
    try:
        stored = StoredAnswer(
            response.output,
            response.reasoning,
            usage.input_tokens,
            usage.output_tokens,
            response.seconds,
            response.request_id,
            response.embedding,
            response.tool_calls,
            response.logprobs,
        )
        content = ENCODER.encode(stored)
        DECODER.decode(content)
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, OverflowError) as error:
        raise DamagedAnswerError(f"the answer cannot be stored: {error}") from error
    return content + _checksum(key, content)


def decode_answer(key: Key, stored: object) -> Response:
    """Return the answer that is stored under this key.

    Args:
        key: the answer's key, which is part of the checksum.
        stored: the value in the file; it is bytes unless the file is damaged.

    Raises:
        DamagedAnswerError: the checksum does not match, or the bytes cannot be read.
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
        embedding=found.embedding,
        tool_calls=found.tool_calls,
        logprobs=found.logprobs,
        from_store=True,
    )


def _checksum(key: Key, content: bytes) -> bytes:
    return crc32(content, crc32(key)).to_bytes(CHECKSUM_BYTES, "little")
