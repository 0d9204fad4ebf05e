"""The framing of a reply: the same values however its bytes were cut."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.workers.engines.reply_events import (
    Decompressor,
    EventReader,
    FramingError,
    ReplyEvent,
    TooLargeError,
    parse_json,
    read_events,
)

VALUES = [{"a": "你好 😀"}, {"b": [1, None]}, {"c": "data: x\n\n"}]
TEXTS = {
    "events": "".join(f"data: {json.dumps(value, ensure_ascii=False)}\n\n" for value in VALUES),
    "no blank lines": "".join(f"data:{json.dumps(value)}\n" for value in VALUES),
    "CR LF": "".join(f"id: 1\r\nevent: result\r\ndata: {json.dumps(value)}\r\n\r\n" for value in VALUES),
    "CR": "".join(f"data: {json.dumps(value)}\r\r" for value in VALUES),
    "many lines an event": "".join(
        f"data: {json.dumps(value, indent=1)}".replace("\n", "\ndata: ") + "\n\n" for value in VALUES
    ),
    "lines of JSON": "\n".join(json.dumps(value) for value in VALUES),
    "comments": ": hello\n\n" + "".join(f": ping\ndata: {json.dumps(value)}\n\n" for value in VALUES),
}


def fed(body: bytes, size: int) -> list[Any]:
    reader, events = EventReader(), []
    for start in range(0, len(body), size):
        events += reader.feed(body[start : start + size])
    return [event.value for event in [*events, *reader.close()]]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_same_values_however_the_bytes_are_cut(name: str, size: int, mark: bytes) -> None:
    assert fed(mark + TEXTS[name].encode(), size) == VALUES


JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_whole_json_is_read_as_json_reads_it(value: Any) -> None:
    for indent in (None, 2):
        text = json.dumps({"value": value}, indent=indent)
        assert [event.value for event in read_events(text.encode())] == [{"value": value}]
        assert fed(text.encode(), 5) == [{"value": value}]


def test_an_event_says_that_it_is_an_error() -> None:
    dashscope = b'event:error\n:HTTP_STATUS/429\ndata:{"code": "x"}\n\ndata: {"a": 1}\n\n'
    assert read_events(dashscope) == [ReplyEvent({"code": "x"}, True, 429), ReplyEvent({"a": 1})]
    assert read_events(b'error: {"message": "no"}') == [ReplyEvent({"message": "no"}, True)]
    assert read_events(b"event: error\ndata: gone\n\n") == [ReplyEvent("gone", True)]


def test_the_end_of_a_stream_is_no_value() -> None:
    assert [event.ends for event in read_events(b"data: {}\n\ndata: [DONE]\n\n")] == [False, True]
    assert [event.ends for event in read_events(b"{}\n[DONE]\n")] == [False, True]


@pytest.mark.parametrize("body", [b"<html>\n<p>x</p>", b"no", b'{"a": ', b"data: {\n\n", b"[" * 100_000])
def test_what_is_neither_is_told(body: bytes) -> None:
    with pytest.raises(FramingError):
        read_events(body)


def test_nearly_json_is_read() -> None:
    assert parse_json('{"a": "\\ud83d", "b": 1e999, "c": "x\ny"}') == {"a": "\ud83d", "b": float("inf"), "c": "x\ny"}


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_compression_is_undone_in_any_pieces(body: bytes, size: int) -> None:
    for packed in (gzip.compress(body), gzip.compress(body[:9]) + gzip.compress(body[9:])):
        decompressor = Decompressor(10_000)
        pieces = [piece for at in range(0, len(packed), size) for piece in decompressor.feed(packed[at : at + size])]
        assert b"".join(pieces) == body


def test_what_is_undone_has_a_limit() -> None:
    decompressor = Decompressor(1000)
    with pytest.raises(TooLargeError, match="1,000"):
        list(decompressor.feed(gzip.compress(b"x" * 1001)))
