"""The fields of a reply, each checked and made what it has to be: text, thinking, finish reason, tokens, vectors."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..messages import Usage
from .reply_events import FramingError, parse_json

SURROGATE = re.compile("[\ud800-\udfff]")
MAX_DEPTH = 8
"""How deep a text may lie in lists and objects."""
MAX_COUNT = 2**53
TEXT_KEYS = ("text", "content", "output_text", "value", "parts")
REASONING_TYPES = frozenset({"thinking", "reasoning", "reasoning_content", "redacted_thinking", "thought"})
THINKING_TAGS = ("think", "thinking", "thought", "reasoning", "seed:think")
OPENING = re.compile(rf"\s*<({'|'.join(THINKING_TAGS)})>", re.IGNORECASE)
OPENINGS = tuple(f"<{tag}>" for tag in THINKING_TAGS)
ORPHAN = re.compile(rf"(?:\n|^)[ \t]*</({'|'.join(THINKING_TAGS)})>|</({'|'.join(THINKING_TAGS)})>[ \t]*\n")
"""An end of thinking whose beginning stood in the prompt: on a line of its own, so that no answer about it is cut."""

Ending = Literal["stop", "length", "filter", "failed"]
FINISH_REASONS: Mapping[str, Ending] = {
    **dict.fromkeys(
        (
            *("stop", "stopped", "eos", "eos_token", "eos_found", "end", "end_turn", "end_of_text", "end_of_turn"),
            *("stop_sequence", "stop_token", "stop_str", "stop_string", "stop_eos", "stop_word", "done", "complete"),
            *("completed", "finish", "finished", "finish_reason_stop", "normal", "success", "ok", "pause_turn"),
            *("tool_calls", "tool_call", "tool_use", "function_call", "function_calls"),
        ),
        "stop",
    ),
    **dict.fromkeys(
        (
            *("length", "limit", "max_tokens", "max_token", "max_length", "max_new_tokens", "max_output_tokens"),
            *("max_completion_tokens", "max_tokens_reached", "token_limit", "token_limit_reached", "model_length"),
            *("context_length", "context_length_exceeded", "model_context_window_exceeded", "context_window"),
            *("truncated", "truncation", "cut_off", "incomplete", "stop_limit", "finish_reason_length"),
            *("length_limit", "length_limit_reached", "output_limit", "max_tokens_exceeded", "stop_length"),
        ),
        "length",
    ),
    **dict.fromkeys(
        (
            *("content_filter", "content_filtered", "content_filtering", "content_policy_violation", "filter"),
            *("filtered", "responsibleaipolicyviolation", "safety", "image_safety", "recitation", "blocklist"),
            *("prohibited_content", "spii", "sensitive", "sensitive_content", "refusal", "guardrail_intervened"),
            *("guardrails", "moderation", "datainspectionfailed", "data_inspection_failed", "risk", "risk_control"),
            "1301",  # Zhipu
        ),
        "filter",
    ),
    **dict.fromkeys(
        (
            *("error", "failed", "failure", "network_error", "server_error", "internal_error", "timeout"),
            *("abort", "aborted", "cancel", "cancelled", "canceled", "interrupted", "overloaded"),
            *("insufficient_system_resource", "malformed_function_call", "error_finish"),
        ),
        "failed",
    ),
}
"""Every reason that a service is known to end an answer for. Sources: the API references of OpenAI, Anthropic
(stop_reason), Google (FinishReason), Mistral, DeepSeek, Zhipu, DashScope, MiniMax, Hugging Face's
text-generation-inference, vLLM, llama.cpp, Ollama and Bedrock, as public in November 2026."""


def parse_ending(reason: str, *, has_text: bool) -> Ending:
    """Return what a finish reason means. An unknown reason beside a text is no reason to pay again."""
    name = re.sub(r"[\s./-]+", "_", reason.strip().lower())
    return FINISH_REASONS.get(name) or ("stop" if has_text else "failed")


def parse_finish_reason(value: object) -> str | None:
    """Return a finish reason as text; None where the answer goes on, or none is given."""
    if isinstance(value, Mapping):
        value = value.get("type") or value.get("reason")
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    text = valid_text(str(value)).strip()[:100]
    return None if text.lower() in ("", "null", "none") else text


def valid_text(text: str) -> str:
    """Return the text as it can be written in UTF-8: halves of a pair joined, lone ones replaced by U+FFFD."""
    if text.isascii() or not SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def parse_text(value: object, depth: int = 0) -> tuple[str, str]:
    """Return the text of a message's content and the thinking in it: a text, its parts, or JSON."""
    if value is None or depth > MAX_DEPTH:
        return "", ""
    if isinstance(value, str):
        return value, ""
    if isinstance(value, Mapping):
        return _text_of_part(value, depth)
    if isinstance(value, list) and (not value or any(_is_part(item) for item in value)):
        found = [parse_text(item, depth + 1) for item in value]
        return "".join(text for text, _ in found), "".join(thought for _, thought in found)
    return _as_json(value), ""


def _is_part(item: object) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and ("type" in item or "text" in item))


def _text_of_part(part: Mapping[str, Any], depth: int) -> tuple[str, str]:
    part_type = part.get("type")
    inner = next((part[key] for key in (*TEXT_KEYS, "thinking", "reasoning") if part.get(key) is not None), None)
    if isinstance(part_type, str) and part_type in REASONING_TYPES:
        return "", "".join(parse_text(inner, depth + 1))
    if inner is not None:
        return parse_text(inner, depth + 1)
    return ("", "") if isinstance(part_type, str) else (_as_json(part), "")


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return ""


def split_reasoning(text: str) -> tuple[str, str | None]:
    """Return an answer, and what was thought before it, where the model writes `<think>…</think>`."""
    splitter = ReasoningSplitter()
    output = splitter.feed(text) + splitter.close()
    end = ORPHAN.search(output) if splitter.reasoning is None else None
    if end and not any(opening in output[: end.start()].lower() for opening in OPENINGS):
        return output[end.end() :].lstrip(), output[: end.start()].strip() or None
    return output, (splitter.reasoning or "").strip() or None


class ReasoningSplitter:
    """Keeps apart what a model thinks, between tags at the beginning of its text, while the text arrives."""

    def __init__(self) -> None:
        self.reasoning: str | None = None
        """What was thought; None while no tag has been seen."""
        self._state: Literal["start", "thinking", "gap", "answer"] = "start"
        self._buffer = ""
        self._opening = self._closing = ""

    def feed(self, text: str) -> str:
        """Return the part of the answer that these characters complete."""
        if self._state == "answer":
            return text
        self._buffer += text
        if self._state == "start":
            self._begin()
        if self._state == "thinking":
            self._think()
        return self._released()

    def close(self, *, cut_off: bool = False) -> str:
        """Return what was held back; thinking that has no end is the answer, unless it was cut off."""
        rest, self._buffer = self._buffer, ""
        if self._state == "thinking" and not cut_off:
            rest, self.reasoning = self._opening + (self.reasoning or "") + rest, None
        elif self._state == "thinking":
            self.reasoning, rest = (self.reasoning or "") + rest, ""
        self._state = "answer"
        return rest

    def _begin(self) -> None:
        if opening := OPENING.match(self._buffer):
            self._opening, self._closing = opening[0], f"</{opening[1].lower()}>"
            self._buffer, self.reasoning, self._state = self._buffer[opening.end() :], "", "thinking"
        elif not any(opening.startswith(self._buffer.lstrip().lower()) for opening in OPENINGS):
            self._state = "answer"

    def _think(self) -> None:
        position = self._buffer.lower().find(self._closing)
        if position >= 0:
            self.reasoning = (self.reasoning or "") + self._buffer[:position]
            self._buffer, self._state = self._buffer[position + len(self._closing) :], "gap"
        else:  # The last characters may be the beginning of the tag.
            keep = len(self._closing) - 1
            self.reasoning = (self.reasoning or "") + self._buffer[:-keep]
            self._buffer = self._buffer[-keep:]

    def _released(self) -> str:
        if self._state == "gap":
            self._buffer = self._buffer.lstrip()
            self._state = "answer" if self._buffer else "gap"
        if self._state != "answer":
            return ""
        text, self._buffer = self._buffer, ""
        return text


def parse_count(value: object) -> int | None:
    """Return a count of tokens; None where it is no count."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_COUNT:
        return None
    return int(value)


def parse_usage(usage: object, keys: tuple[str, str] = ("prompt_tokens", "completion_tokens")) -> Usage | None:
    """Return the tokens that a service counted; None where it counted none, or what cannot be."""
    if not isinstance(usage, Mapping):
        return None
    counts = [parse_count(usage.get(key)) for key in keys]
    total = parse_count(usage.get("total_tokens"))
    if counts[0] is None and counts[1] is None:
        return None if total is None else Usage(total, 0)
    if any(usage.get(key) is not None and count is None for key, count in zip(keys, counts, strict=True)):
        return None
    return Usage(counts[0] or 0, counts[1] or 0)


def parse_tool_calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tools' calls in a message, or pieces of them; what is none is left out."""
    calls = message.get("tool_calls")
    if isinstance(calls, Mapping):
        calls = [calls]
    if not calls and isinstance(message.get("function_call"), Mapping):
        calls = [{"type": "function", "index": 0, "function": message["function_call"]}]
    return [dict(call) for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []


def parse_vectors(items: object, count: int, index_key: str) -> list[tuple[float, ...] | None] | None:
    """Return one vector a text, in order; None for one that is none, or for all where their number is wrong.

    Args:
        items: the service's list: objects with a vector each, or vectors.
        count: how many texts were sent.
        index_key: where an object says which text it belongs to; without it they are in order.
    """
    if not isinstance(items, list) or len(items) != count:
        return None
    indices = [parse_count(item.get(index_key)) if isinstance(item, Mapping) else None for item in items]
    if sorted(index for index in indices if index is not None) != list(range(count)):
        indices = list(range(count))
    vectors: list[tuple[float, ...] | None] = [None] * count
    for index, item in zip(indices, items, strict=True):
        assert index is not None
        vectors[index] = parse_vector(item)
    return vectors


def parse_vector(value: object) -> tuple[float, ...] | None:
    """Return a vector of finite numbers: a list, base64 of 32-bit floats, or an object that holds one."""
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("embedding", "values", "vector", "float") if key in value), None)
        return parse_vector(value) if not isinstance(value, Mapping) or "float" in value else None
    if isinstance(value, str):
        value = _decoded(value)
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return None
    try:
        vector = tuple(map(float, value))
    except (TypeError, ValueError, OverflowError):
        return None
    return vector if all(map(math.isfinite, vector)) else None


def _decoded(text: str) -> Any:
    try:
        raw = base64.b64decode(text, validate=True)
        return struct.unpack(f"<{len(raw) // 4}f", raw)
    except (binascii.Error, ValueError, struct.error):
        pass
    try:
        return parse_json(text) if text.lstrip().startswith("[") else None
    except FramingError:
        return None
