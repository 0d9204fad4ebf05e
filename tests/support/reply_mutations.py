"""Replies of services, right ones and changed ones: strategies for Hypothesis.

A right reply is changed at one to four places: in its objects (types, keys, depth), its text (bytes, encoding), its
framing, its compression, the HTTP beneath it, its size; keys come twice, and services send other lines between.
"""

from __future__ import annotations

import copy
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from .raw_service import RawReply

DEEP, RAW = "\x01deep", "\x01raw"
"""Stand for what `json.dumps` cannot write, until the text is there."""
RAW_VALUES = ("NaN", "-Infinity", "1e999", "9" * 400, '"\\ud83d"', '"\\ude00"', "01", "'x'", "undefined", '"\\u0000"')
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TEXTS = (
    "Hello",
    "你好 😀",
    "<think>hm</think>\n\nFour",
    "<think>no end",
    "a\n</think>\nb",
    "{}",
    "[DONE]",
    "data: x",
    " ",
)
REASONS = ("stop", "length", "content_filter", "tool_calls", "eos", "STOP", "max_tokens", "error", "null", "", "other")
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
ERRORS = (
    {"error": {"message": "no", "type": "invalid_request_error", "code": "bad"}},
    {"code": 500, "msg": "404 NOT_FOUND", "success": False},
    {"object": "error", "message": "no", "code": 40303},
    {"choices": None, "base_resp": {"status_code": 1000, "status_msg": "unknown"}},
    {"code": "Throttling.RateQuota", "message": "later", "request_id": "r"},
    {"detail": [{"loc": ["body"], "msg": "no", "type": "missing"}]},
)
EXTRA_VALUES = {"type": "ping"}, {"choices": []}, {"contentFilter": [{"role": "assistant", "level": 3}]}, [], None
"""Values that services send between the pieces of an answer."""
BETWEEN = (
    "",
    "",
    "",
    ": keep-alive\n\n",
    "retry: 3000\n",
    "id: 7\nevent: message\n",
    ":\n",
    "data:\n\n",
    "event: ping\n\n",
)
"""Lines that services send between the events."""

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from([*TEXTS, *REASONS, DEEP, *(RAW + value for value in RAW_VALUES)]),
)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def whole(text: Any, reason: str, wire: str) -> dict[str, Any]:
    """A right reply to a request that did not ask for a stream."""
    message = {"role": "assistant", "content": text, "tool_calls": [CALL] if reason == "tool_calls" else None}
    choice = {"index": 0, "finish_reason": reason, "message": message}
    if wire == "dashscope":
        return {"output": {"choices": [choice]}, "usage": USAGE, "request_id": "r-1"}
    return {"id": "c-1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE}


def ollama(text: str, reason: str) -> list[dict[str, Any]]:
    """A right stream of Ollama's own protocol, which some proxies pass on as it is."""
    parts = [{"model": "m", "message": {"role": "assistant", "content": part}, "done": False} for part in text]
    return [*parts, {"model": "m", "message": {"content": ""}, "done": True, "done_reason": reason, "eval_count": 3}]


def pieces(text: str, reason: str, wire: str) -> list[dict[str, Any]]:
    """A right stream."""
    parts = [text[start : start + 3] for start in range(0, len(text), 3)]
    key = "message" if wire == "dashscope" else "delta"
    choices = [{"index": 0, "finish_reason": None, key: {"role": "assistant", "content": part}} for part in parts]
    choices.append({"index": 0, "finish_reason": reason, key: {"content": ""}})
    if wire == "dashscope":
        return [{"output": {"choices": [choice]}, "usage": USAGE, "request_id": "r-1"} for choice in choices]
    return [{"id": "c-1", "object": "chat.completion.chunk", "choices": [choice], "usage": None} for choice in choices]


def vectors(count: int, wire: str) -> dict[str, Any]:
    """A right reply to a request for vectors."""
    key = "text_index" if wire == "dashscope" else "index"
    items = [{key: number, "embedding": [0.5, float(number)]} for number in range(count)]
    return {"output": {"embeddings": items}, "usage": USAGE} if wire == "dashscope" else {"data": items, "usage": USAGE}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in a value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """Return a value with one place in it changed."""
    holder = [copy.deepcopy(value)]
    path = (0, *draw(st.sampled_from(list(places(value)))))
    target: Any = holder
    for key in path[:-1]:
        target = target[key]
    last, kind = (
        path[-1],
        draw(st.sampled_from(("replace", "replace", "drop", "wrap", "list", "add", "rename", "twice"))),
    )
    old = target[last]
    if kind == "drop" and isinstance(target, dict):
        del target[last]
    elif kind == "wrap":
        target[last] = {draw(st.sampled_from(("text", "content", "data", "error", "x"))): old}
    elif kind == "list":
        target[last] = [old] * draw(st.integers(0, 2))
    elif kind == "add" and isinstance(old, dict):
        old[draw(st.sampled_from(("error", "code", "message", "choices", "data", "x")))] = draw(junk)
    elif kind == "rename" and isinstance(target, dict):
        target[draw(st.text(max_size=6))] = target.pop(last)
    elif kind == "twice" and isinstance(target, list):
        target.append(copy.deepcopy(old))
    else:
        target[last] = draw(junk)
    return holder[0]


def written(value: Any, depth: int = 3000, **how: Any) -> str:
    """Return a value as JSON, or what is nearly that."""
    text = json.dumps(value, **how)
    text = text.replace(json.dumps(DEEP), "[" * depth + "]" * depth)
    for raw in RAW_VALUES:
        text = text.replace(json.dumps(RAW + raw), raw)
    return text


@st.composite
def doubled(draw: st.DrawFn, text: str) -> str:
    """Return JSON in which one object has a key twice, which no two readers understand alike."""
    key = draw(st.sampled_from(("choices", "delta", "message", "content", "error", "output", "usage", "finish_reason")))
    twice = f'"{key}": {written(draw(junk), depth=50)}'
    starts = [index for index, letter in enumerate(text) if letter == "{" and text[index + 1 : index + 2] != "}"]
    if not starts:
        return text
    if draw(st.booleans()):
        start = draw(st.sampled_from(starts))
        return f"{text[: start + 1]}{twice}, {text[start + 1 :]}"
    return f"{text[:-1]}, {twice}}}" if text.endswith("}") else text


@st.composite
def framed(draw: st.DrawFn, values: list[Any]) -> str:
    """Return the values in some framing."""
    how = {"ensure_ascii": draw(st.booleans()), "indent": draw(st.sampled_from((None, None, 1)))}
    framing = draw(st.sampled_from(("events", "events", "many lines", "json", "lines", "array", "close")))
    if framing == "many lines":
        how["indent"] = 1
    elif framing != "json":
        how["indent"] = None
    texts = [written(value, **how) for value in values]
    texts = [draw(doubled(text)) if draw(st.integers(0, 9)) == 0 else text for text in texts]
    if framing == "json":
        return "".join(texts)
    if framing == "lines":
        return "\n".join(texts) + draw(st.sampled_from(("", "\n", "\n[DONE]\n")))
    if framing == "array":
        return f"[{','.join(texts)}]"
    prefix, gap = draw(st.sampled_from(("data: ", "data:", "event: x\ndata: ", "id: 1\ndata:"))), "\n\n"
    if framing == "close":
        gap = "\n"
    if framing == "many lines":
        texts = [text.replace("\n", f"\n{prefix.splitlines()[-1]}") for text in texts]
    end = draw(st.sampled_from(("data: [DONE]\n\n", "", "data:[DONE]", ": end\n", "event: error\ndata: gone\n\n")))
    return "".join(f"{draw(st.sampled_from(BETWEEN))}{prefix}{text}{gap}" for text in texts) + end


@st.composite
def replies(draw: st.DrawFn, values: list[Any]) -> RawReply:
    """Return a reply that holds these values, changed at every level."""
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(values) - 1))
        values = [draw(changed(value)) if number == place else value for number, value in enumerate(values)]
    text = draw(framed(values))
    if draw(st.booleans()):
        text = text.replace("\n", draw(st.sampled_from(("\r\n", "\r", "\n", "\n\n"))))
    encoding = draw(st.sampled_from(("utf-8",) * 8 + ("utf-8-sig", "utf-16", "gbk", "latin-1")))
    body = text.encode(encoding, "replace")
    body = draw(damaged(body)) if draw(st.integers(0, 3)) == 0 else body
    return draw(sent(body, encoding))


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """Return bytes with some cut, inserted or added."""
    place = draw(st.integers(0, len(body)))
    kind = draw(st.sampled_from(("cut", "insert", "drop", "pad", "empty")))
    if kind == "insert":
        return body[:place] + draw(st.binary(min_size=1, max_size=4)) + body[place:]
    if kind == "pad":
        return body + draw(st.sampled_from((b" ", b"\n", b"\x00", b"x" * 100))) * draw(st.sampled_from((1, 1000)))
    return {"cut": body[:place], "drop": body[:place] + body[place + 3 :]}.get(kind, b"")


@st.composite
def sent(draw: st.DrawFn, body: bytes, encoding: str) -> RawReply:
    """Return the bytes as some HTTP reply."""
    types = (
        "application/json",
        "text/event-stream",
        "text/html",
        f"application/json; charset={encoding}",
        "x",
        "a;charset=",
    )
    headers = {"Content-Type": draw(st.sampled_from(types))}
    kind = draw(st.sampled_from(("plain",) * 8 + ("gzip", "deflate", "lie", "half", "quiet", "bomb", "br")))
    if kind in ("gzip", "half", "quiet"):
        body = gzip.compress(body)
    if kind == "half":
        body = body[: len(body) // 2]
    if kind == "deflate":
        body = zlib.compress(body)
    if kind == "bomb" and draw(st.integers(0, 9)) == 0:
        body = gzip.compress(body + b"x" * 9 * 2**20)
    if kind in ("gzip", "deflate", "br"):
        headers["Content-Encoding"] = kind
    if kind in ("lie", "half", "bomb"):
        headers["Content-Encoding"] = "gzip"
    if draw(st.integers(0, 15)) == 0:
        headers["Retry-After"] = draw(st.sampled_from(("nan", "-1", "soon", "", "0", "Sat, 99 Foo 2026 00:00:00 GMT")))
    if draw(st.integers(0, 15)) == 0:
        headers["X-Request-Id"] = draw(st.sampled_from(("", "x" * 5000, "é")))
    status = draw(st.sampled_from((200,) * 12 + (201, 204, 206, 400, 409, 422, 429, 500, 503, 599)))
    steps = draw(st.sampled_from((0, 0, 1, 7, 1000)))
    parts = (
        [body[start : start + steps] for start in range(0, len(body), steps)] if steps and len(body) < 3000 else [body]
    )
    return RawReply(parts or b"", status, headers, chunked=draw(st.booleans()), cut=draw(st.integers(0, 60)) == 1)


@st.composite
def chats(draw: st.DrawFn, wire: str) -> RawReply:
    """A reply to a chat request: whole, streamed or an error, changed or right."""
    text, reason = draw(st.sampled_from(TEXTS)), draw(st.sampled_from(REASONS))
    kind = draw(st.sampled_from(("whole", "stream", "stream", "stream", "error", "ollama")))
    if kind == "error":
        return draw(replies([draw(st.sampled_from(ERRORS))]))
    if kind == "ollama":
        return draw(replies(ollama(text, reason)))
    if kind == "whole":
        return draw(replies([whole(text, reason, wire)]))
    values: list[Any] = pieces(text, reason, wire)
    if draw(st.booleans()):
        values.insert(draw(st.integers(0, len(values))), draw(st.sampled_from(EXTRA_VALUES)))
    return draw(replies(values))


@st.composite
def embeddings(draw: st.DrawFn, wire: str, count: int) -> RawReply:
    """A reply to a request for vectors, changed or right."""
    return draw(replies([vectors(count, wire)]))
