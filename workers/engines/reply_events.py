"""The framing of a reply, read from what arrived and not from what was requested: JSON, lines of JSON, or events.

A service that was asked for one JSON object may send server-sent events, and the other way round; with a byte order
mark, with CR LF, compressed, in another encoding, or without the blank lines that should end an event.
Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

LINE_BREAK = re.compile(r"\r\n|\n|\r")
FIELD = re.compile(r"(data|event|id|retry|error)?[ \t]*:[ \t]?(.*)", re.DOTALL)
STATUS_COMMENT = re.compile(r"HTTP_STATUS/(\d{3})")
"""DashScope writes `:HTTP_STATUS/429` before the data of an event."""
END_OF_STREAM = "[DONE]"
GZIP_MAGIC = b"\x1f\x8b"
GZIP_OR_ZLIB, RAW_DEFLATE = 47, -15
"""`wbits` of zlib."""
UNCOMPRESSED_STEP = 64 * 1024
OTHER_CHARSETS = frozenset({"gbk", "gb2312", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "utf-16"})
"""Encodings that are believed where the headers name them; everything else is UTF-8, as JSON has to be."""


class FramingError(ValueError):
    """A reply that is neither JSON nor events."""


class TooLargeError(ValueError):
    """A reply of more bytes than it may have."""


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """One JSON value of a reply.

    Args:
        value: the value.
        is_error: the event says that it is an error.
        status: the HTTP status that the event names for itself.
        ends: the stream says that it is over; there is no value.
    """

    value: Any
    is_error: bool = False
    status: int | None = None
    ends: bool = False


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; what is nearly JSON (NaN, lone surrogates, raw line breaks) is read as well.

    Raises:
        FramingError: it is none, or nested too deeply.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return json.loads(text if isinstance(text, str) else text.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError) as error:
        raise FramingError(f"{error}: {text[:200]!r}") from None


def read_events(body: bytes, charset: str | None = None) -> list[ReplyEvent]:
    """Return the values of a whole reply.

    Raises:
        FramingError: there is none in it.
    """
    try:
        return [ReplyEvent(msgspec.json.decode(body))]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        reader = EventReader(charset)
        return [*reader.feed(body), *reader.close()]


class EventReader:
    """Reads the values of a reply as its bytes arrive.

    Args:
        charset: the encoding that the reply's headers name; a byte order mark comes before it.
    """

    def __init__(self, charset: str | None = None) -> None:
        self._charset = charset
        self._decoder: codecs.IncrementalDecoder | None = None
        self._start = b""
        self._at_start = True
        self._framing: Literal["unknown", "whole", "lines", "events"] = "unknown"
        self._parts: list[str] = []
        """What has not been read: the beginning of a line, or of a value over many lines."""
        self._data: list[str] = []
        self._is_error = False
        self._status: int | None = None
        self._found = False
        self._unread = ""

    def feed(self, data: bytes) -> list[ReplyEvent]:
        """Return the values that are complete with these bytes.

        Raises:
            FramingError: an event holds no JSON.
        """
        text = self._decode(data, final=False)
        if self._framing == "whole" or not LINE_BREAK.search(text):
            self._parts.append(text)
            return []
        text = "".join([*self._parts, text])
        # A CR at the end may be the first half of a line break.
        end = len(text) - 1 if text.endswith("\r") else len(text)
        *lines, rest = LINE_BREAK.split(text[:end])
        if self._choose_framing(lines) == "whole":
            self._parts = [text]
            return []
        self._parts = [rest + text[end:]]
        return [event for line in lines for event in self._read_line(line)]

    def close(self) -> list[ReplyEvent]:
        """Return the values that are complete now that nothing more comes.

        Raises:
            FramingError: what is left is no JSON, or there was nothing but text.
        """
        text, self._parts = "".join(self._parts) + self._decode(b"", final=True), []
        lines = LINE_BREAK.split(text)
        if self._choose_framing(lines) == "whole":
            return [ReplyEvent(parse_json(text.strip()))]
        events = [event for line in [*lines, ""] for event in self._read_line(line)]
        if not events and not self._found and self._unread:
            raise FramingError(f"neither JSON nor events: {self._unread!r}")
        return events

    def _decode(self, data: bytes, *, final: bool) -> str:
        if self._decoder is None:
            data, self._start = self._start + data, b""
            if len(data) < len(codecs.BOM_UTF16_LE) and not final:
                self._start = data
                return ""
            self._decoder = codecs.getincrementaldecoder(_encoding(data, self._charset))("replace")
        text = self._decoder.decode(data, final)
        if self._at_start and text:
            self._at_start = False
            return text.removeprefix("\ufeff")
        return text

    def _choose_framing(self, lines: Sequence[str]) -> str:
        """Read the framing from the first line: JSON that goes on in the next line is one value over many."""
        first = next((line.strip() for line in lines if line.strip()), "")
        if self._framing != "unknown" or not first:
            return self._framing
        if first[0] not in "{[" or first == END_OF_STREAM:
            self._framing = "events"
            return self._framing
        try:
            parse_json(first)
            self._framing = "lines"
        except FramingError:
            self._framing = "whole"
        return self._framing

    def _read_line(self, line: str) -> Iterator[ReplyEvent]:
        text = line.strip()
        if text == END_OF_STREAM:
            self._found = True
            yield ReplyEvent(None, ends=True)
        elif not text:
            yield from self._end_event()
        elif text[0] in "{[":
            yield self._event(parse_json(text))
        elif field := FIELD.fullmatch(line):
            yield from self._read_field(field[1], field[2])
        else:
            self._unread = self._unread or text[:200]

    def _read_field(self, name: str | None, value: str) -> Iterator[ReplyEvent]:
        if name in ("data", "error"):
            self._is_error |= name == "error"
            yield from self._add_data(value)
        elif name == "event":
            self._is_error = value.strip().lower() == "error"
        elif not name and (status := STATUS_COMMENT.search(value)):
            self._status = int(status[1])

    def _add_data(self, text: str) -> Iterator[ReplyEvent]:
        """Add a line of data. Most services write an event's whole JSON in one, some no blank line after it."""
        if text.strip() == END_OF_STREAM:
            self._found = True
            yield ReplyEvent(None, ends=True)
        elif self._data or text.strip():
            try:
                value = None if self._data else parse_json(text)
            except FramingError:
                value = None
            if value is None:
                self._data.append(text)
            else:
                yield self._event(value)

    def _end_event(self) -> Iterator[ReplyEvent]:
        if self._data:
            text, self._data = "\n".join(self._data), []
            yield self._event(text if self._is_error else parse_json(text))
        self._is_error, self._status = False, None

    def _event(self, value: Any) -> ReplyEvent:
        self._found = True
        return ReplyEvent(value, self._is_error, self._status)


def _encoding(start: bytes, charset: str | None) -> str:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    name = (charset or "").lower().replace("-", "_")
    return name if name in OTHER_CHARSETS and not start.startswith(codecs.BOM_UTF8) else "utf-8"


class Decompressor:
    """Undoes the compression of a reply step by step, so that a small reply cannot fill the memory.

    Args:
        max_bytes: the most bytes that may come of it.
        encoding: the Content-Encoding that the headers name; gzip is found without it.
    """

    def __init__(self, max_bytes: int, encoding: str | None = None) -> None:
        self._max_bytes = self._left = max_bytes
        self._encoding = (encoding or "").lower()
        self._start: bytes | None = b""
        """The reply whose beginning is too short to tell its format; None within the body."""
        self._zlib: Any = None
        self._has_member = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes stand for.

        Raises:
            TooLargeError: it is too much.
            FramingError: they are not what their first bytes promise.
        """
        while data:
            if self._start is not None:
                data, self._start = self._start + data, None
                if len(data) < len(GZIP_MAGIC):
                    self._start = data
                    return
                self._choose(data)
            piece, data = self._next(data)
            self._left -= len(piece)
            if self._left < 0:
                raise TooLargeError(f"the reply has more than {self._max_bytes:,} bytes")
            yield piece

    def close(self) -> bytes:
        """Return what is left of a reply that was too short to tell."""
        return b"" if self._has_member else self._start or b""

    def _choose(self, start: bytes) -> None:
        self._zlib = None
        if start.startswith(GZIP_MAGIC):
            self._zlib = zlib.decompressobj(GZIP_OR_ZLIB)
        elif self._encoding == "deflate" and start[:1] not in b"{[dei:\xef\n " and not self._has_member:
            zlib_header = start[0] & 15 == 8 and int.from_bytes(start[:2], "big") % 31 == 0
            self._zlib = zlib.decompressobj(GZIP_OR_ZLIB if zlib_header else RAW_DEFLATE)
        elif self._encoding in ("br", "zstd", "compress"):
            raise FramingError(f"it is compressed as {self._encoding}, which the request does not accept")

    def _next(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the next step of what the bytes stand for, and the bytes that are left."""
        if self._zlib is None:
            return (b"", b"") if self._has_member else (data, b"")  # What follows the last member is none of ours.
        try:
            piece = self._zlib.decompress(data, UNCOMPRESSED_STEP)
        except zlib.error as error:
            raise FramingError(f"it cannot be decompressed: {error}") from None
        if not self._zlib.eof:
            return piece, self._zlib.unconsumed_tail
        self._has_member, self._start = True, b""
        return piece, self._zlib.unused_data
