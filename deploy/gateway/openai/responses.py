"""The replies that OpenAI's clients expect: chats and completions, complete and streamed.

Source: OpenAI's API reference, chat completions, completions and their streaming events.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ....workers.messages import Response, Usage

DONE = b"data: [DONE]\n\n"
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
FINISH = {"stop": "stop", "length": "length", "filter": "content_filter"}


@dataclass(frozen=True)
class ReplyFormatter:
    """Formats the answers of one request.

    Args:
        model: the name that the client asked for.
        chat: whether the reply is a chat message, or else plain text.
    """

    model: str
    chat: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def full_reply(self, responses: Iterable[Response]) -> dict[str, Any]:
        """Return the reply with all answers."""
        responses = list(responses)
        choices = [self._choice(index, response) for index, response in enumerate(responses)]
        usage = Usage(
            sum(response.usage.input_tokens for response in responses),
            sum(response.usage.output_tokens for response in responses),
        )
        return {**self._head("chat.completion"), "choices": choices, "usage": usage_fields(usage)}

    def _choice(self, index: int, response: Response) -> dict[str, Any]:
        content = {"message": _message(response)} if self.chat else {"text": response.output or ""}
        return {"index": index, **content, "logprobs": None, "finish_reason": finish_reason(response)}

    def first_events(self) -> list[bytes]:
        """Return the events before the first chunk."""
        return [self._event({"role": "assistant", "content": ""})] if self.chat else []

    def chunk_event(self, text: str) -> bytes:
        """Return the event of one chunk."""
        return self._event({"content": text} if self.chat else text)

    def last_events(self, response: Response, include_usage: bool) -> list[bytes]:
        """Return the events after the last chunk: reasoning, tool calls, finish reason and usage."""
        delta: dict[str, Any] = {}
        if response.reasoning:
            delta["reasoning_content"] = response.reasoning
        if calls := tool_calls(response):
            delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
        events = [self._event(delta)] if self.chat and delta else []
        events.append(self._event({} if self.chat else "", finish_reason(response)))
        if include_usage:
            usage = {"choices": [], "usage": usage_fields(response.usage)}
            events.append(_data({**self._head("chat.completion.chunk"), **usage}))
        return [*events, DONE]

    def _event(self, content: dict[str, Any] | str, reason: str | None = None) -> bytes:
        choice = {"index": 0, ("delta" if self.chat else "text"): content, "logprobs": None, "finish_reason": reason}
        return _data({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _head(self, object_type: str) -> dict[str, Any]:
        prefix, object_type = ("chatcmpl", object_type) if self.chat else ("cmpl", "text_completion")
        return {"id": f"{prefix}-{self.id}", "object": object_type, "created": self.created, "model": self.model}


def _message(response: Response) -> dict[str, Any]:
    calls = tool_calls(response)
    content = None if calls and response.output == response.tool_calls else response.output
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    if response.reasoning:
        message["reasoning_content"] = response.reasoning
    return message


def tool_calls(response: Response) -> list[dict[str, Any]]:
    """Return the model's tool calls."""
    calls: list[dict[str, Any]] = json.loads(response.tool_calls) if response.tool_calls else []
    return calls


def finish_reason(response: Response) -> str:
    """Return OpenAI's finish reason."""
    return "tool_calls" if response.tool_calls else FINISH[response.finish_reason]


def usage_fields(usage: Usage) -> dict[str, int]:
    """Return OpenAI's usage object."""
    total = usage.input_tokens + usage.output_tokens
    return {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens, "total_tokens": total}


def error_event(body: dict[str, Any]) -> bytes:
    """Return the event for an error in the middle of a stream."""
    return _data(body)


def _data(body: dict[str, Any]) -> bytes:
    return b"data: " + COMPACT.encode(body).encode("utf-8", "replace") + b"\n\n"
