"""One place where a reply of a service becomes a Response: whole or streamed, of every service.

Nothing of a reply is believed unchecked: each field is made what it has to be, or the reply is that row's error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from ..errors import ProviderError
from ..messages import Failure, FinishReason, Request, Response, TokenLogprobs, Usage
from .reply_errors import (
    MAX_MESSAGE,
    broken_reply_error,
    empty_choice_error,
    find_bare_error,
    find_error,
    refusal_error,
)
from .reply_events import ReplyEvent
from .reply_fields import (
    ReasoningSplitter,
    parse_count,
    parse_ending,
    parse_finish_reason,
    parse_text,
    parse_tool_calls,
    parse_usage,
    parse_vectors,
    split_reasoning,
    valid_text,
)
from .token_logprobs import MAX_TOKENS, logprobs_of

CUT_OFF = Failure("length", "the answer was cut off at the token limit")
CHARACTERS_PER_TOKEN = 3
"""A cautious guess, where a service counts no tokens or what cannot be."""
ENVELOPES = ("data", "result", "response", "output")
"""Where some gateways put the whole reply of the service behind them."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How a protocol names the fields that the others name otherwise.

    Args:
        usage: the keys of the tokens read and written.
        message_is_piece: in a stream, `message` holds what is new and not the whole answer.
        index: where a vector says which text it belongs to.
    """

    usage: tuple[str, str] = ("prompt_tokens", "completion_tokens")
    message_is_piece: bool = False
    index: str = "index"


OPENAI = Wire()
DASHSCOPE = Wire(("input_tokens", "output_tokens"), message_is_piece=True, index="text_index")


class ReplyReader:
    """Makes a Response of a reply's values, in one or in many.

    Args:
        wire: the protocol.
        headers: the reply's headers, for Retry-After and the request's id.
    """

    def __init__(self, wire: Wire, headers: Mapping[str, str]) -> None:
        self._wire = wire
        self._headers = headers
        self._usage: Usage | None = None
        self._request_id: str | None = None
        self._splitter = ReasoningSplitter()
        self._output: list[str] = []
        self._thoughts: list[str] = []
        self._refusal = ""
        self._reason: str | None = None
        self._ended = False
        self._has_choice = False
        self._keys = ""
        self._calls: dict[int, dict[str, Any]] = {}
        self._logprobs: list[TokenLogprobs] = []
        self._high_surrogate = ""

    def add(self, event: ReplyEvent) -> str:
        """Take one value; return the part of the answer that is new.

        Raises:
            ProviderError: it says that something went wrong, or is no part of a reply.
        """
        if event.ends:
            self._ended = True
            return ""
        if event.value is None:
            return ""  # Some proxies keep a stream alive with them.
        if isinstance(event.value, list):
            return "".join(self.add(ReplyEvent(value, event.is_error, event.status)) for value in event.value)
        if event.is_error:
            raise self._event_error(event)
        if not isinstance(event.value, Mapping):
            raise broken_reply_error(f"the service's reply is no JSON object: {str(event.value)[:200]!r}")
        body = _unwrapped(event.value)
        if (error := find_error(event.value)) or (error := find_error(body)):
            raise refusal_error(error.message, code=error.code, status=event.status, headers=self._headers)
        self._request_id = self._request_id or find_request_id(event.value, self._headers)
        self._usage = parse_usage(body.get("usage") or event.value.get("usage"), self._wire.usage) or self._usage
        return self._add_choice(body, event)

    def _event_error(self, event: ReplyEvent) -> ProviderError:
        value = event.value if isinstance(event.value, Mapping) else {"message": str(event.value)}
        error = find_error(value) or find_bare_error(value)
        message, code = (error.message, error.code) if error else (str(event.value)[:200], None)
        return refusal_error(message, code=code, status=event.status, headers=self._headers)

    def _add_choice(self, body: Mapping[str, Any], event: ReplyEvent) -> str:
        choice = _first_choice(body.get("choices"))
        if choice is None:
            self._keys = self._keys or ", ".join(map(str, [*event.value][:10]))
            if (error := find_bare_error(event.value)) and (error.code or not self._has_choice):
                raise refusal_error(error.message, code=error.code, status=event.status, headers=self._headers)
            return ""
        self._has_choice = True
        self._reason = parse_finish_reason(choice.get("finish_reason")) or self._reason
        message = choice.get("delta") or choice.get("message")
        if not isinstance(message, Mapping):
            message = {"content": choice.get("text") if message is None else message}
        if "message" in choice and not choice.get("delta") and not self._wire.message_is_piece:
            self._ended = True
            if self._output or self._calls:
                return ""  # The end of some streams repeats the whole.
        given = choice.get("logprobs")
        self._logprobs += logprobs_of(given.get("content")) if isinstance(given, Mapping) else ()
        return self._add_message(message)

    def _add_message(self, message: Mapping[str, Any]) -> str:
        text, thought = parse_text(message.get("content"))
        field = message.get("reasoning_content") or message.get("reasoning")
        self._thoughts += ["".join(parse_text(field)), thought]
        self._refusal += parse_text(message.get("refusal"))[0]
        for call in parse_tool_calls(message):
            self._add_call(call)
        piece = self._splitter.feed(self._complete_pairs(text))
        self._output.append(piece)
        return piece

    def _complete_pairs(self, text: str) -> str:
        """Hold back half a surrogate pair, whose other half the next piece may begin with."""
        text, self._high_surrogate = self._high_surrogate + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._high_surrogate = text[:-1], text[-1]
        return valid_text(text)

    def _add_call(self, piece: dict[str, Any]) -> None:
        """Take a piece of a tool's call: its name comes first, its arguments in runs of text."""
        index = parse_count(piece.get("index"))
        call = self._calls.setdefault(len(self._calls) if index is None else index, {"type": "function"})
        function = call.setdefault("function", {"name": "", "arguments": ""})
        call.update({name: parse_text(piece[name])[0] for name in ("id", "type") if piece.get(name)})
        given = piece.get("function")
        for name, value in given.items() if isinstance(given, Mapping) else ():
            text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
            function[name] = function.get(name, "") + text

    def last_piece(self) -> str:
        """Return what was held back and is part of the answer after all; nothing more comes."""
        cut_off = self._reason is not None and parse_ending(self._reason, has_text=True) == "length"
        held = self._splitter.feed(valid_text(self._high_surrogate)) + self._splitter.close(cut_off=cut_off)
        self._high_surrogate = ""
        self._output.append(held)
        return held

    def response(self, request: Request, *, is_whole: bool = False) -> Response:
        """Return the whole answer.

        Args:
            request: the request; its length is used if the service counts no tokens.
            is_whole: the reply was one value, which needs no finish reason to be over.

        Raises:
            ProviderError: there is none, it ended before it should, or in a way that requires another attempt.
        """
        self.last_piece()
        output = "".join(self._output)
        if self._reason is None and not self._ended and not (is_whole and self._has_choice):
            if output or self._calls or any(self._thoughts):
                raise broken_reply_error("the stream ended before the answer did")
            has = f": its reply has {self._keys}, and no choice" if self._keys and not self._has_choice else ""
            raise empty_choice_error(f"the service answered with nothing{has}"[:MAX_MESSAGE])
        usage = self._usage or estimated_usage(request, output)
        thoughts = "".join([*self._thoughts, self._splitter.reasoning or ""])
        response = complete_response(
            self._reason or "stop",
            output,
            reasoning=valid_text(thoughts).strip(),
            refusal=valid_text(self._refusal),
            usage=usage,
            request_id=self._request_id,
            tool_calls=[self._calls[index] for index in sorted(self._calls)],
        )
        return replace(response, logprobs=tuple(self._logprobs[:MAX_TOKENS])) if self._logprobs else response


def complete_response(
    reason: str,
    output: str,
    *,
    reasoning: str = "",
    refusal: str = "",
    usage: Usage,
    request_id: str | None = None,
    tool_calls: Sequence[Mapping[str, Any]] = (),
) -> Response:
    """Return the Response of an answer that ended for that reason.

    Args:
        reason: the service's finish reason.
        output: the text, which may be partial.
        reasoning: what was thought before it.
        refusal: what the service says of a refusal.
        usage: tokens read and written.
        request_id: the service's own.
        tool_calls: which tools the model wants called, and with what.

    Raises:
        ProviderError: there is no text, or the answer ended in a way that asks for another try.
    """
    calls = valid_text(json.dumps(tool_calls, ensure_ascii=False)) if tool_calls else None
    ending = parse_ending(reason, has_text=bool(output or calls))
    if ending == "failed":
        raise ProviderError(f"the service ended the answer with {reason!r}", code=reason, retryable=True)
    failure: Failure | None = None
    finish_reason: FinishReason = ending
    if ending == "length":
        failure = CUT_OFF
    elif ending == "filter":
        failure = Failure(reason, refusal or "the service withheld the answer")
    elif not output and not calls:
        if refusal:
            finish_reason, failure = "filter", Failure("refusal", refusal)
        else:
            raise empty_choice_error()
    if not reasoning:
        output, thought = split_reasoning(output)
        reasoning = thought or ""
    return Response(
        output or calls or None,
        reasoning or None,
        failure,
        finish_reason=finish_reason,
        usage=usage,
        request_id=request_id,
        tool_calls=calls,
    )


def estimated_usage(request: Request, output: str) -> Usage:
    """Return about how many tokens were read and written, so that budgets hold where a service does not count."""
    read = 1 + sum(len(message.content) for message in request.messages) // CHARACTERS_PER_TOKEN
    return Usage(read, 1 + len(output) // CHARACTERS_PER_TOKEN if output else 0)


def find_request_id(body: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """Return the id by which the service knows the request."""
    given = body.get("request_id") or body.get("id") or headers.get("X-Request-Id")
    return valid_text(str(given))[:200] if isinstance(given, str | int) and not isinstance(given, bool) else None


def read_vectors(
    events: Sequence[ReplyEvent], count: int, wire: Wire, headers: Mapping[str, str]
) -> list[tuple[float, ...] | None]:
    """Return one vector a text, in order; None for a text whose vector is none.

    Raises:
        ProviderError: the reply says that something went wrong, or has another number of vectors.
    """
    body = events[0].value if events else None
    if isinstance(body, list):
        body = {"data": body}
    if not isinstance(body, Mapping):
        raise broken_reply_error(f"the service's reply is no JSON object: {str(body)[:200]!r}")
    output = body.get("output")
    inner = output if isinstance(output, Mapping) else body
    items = next((inner[key] for key in ("data", "embeddings") if isinstance(inner.get(key), list)), None)
    if (error := find_error(body)) or (not items and (error := find_bare_error(body))):
        raise refusal_error(error.message, code=error.code, status=None, headers=headers)
    vectors = parse_vectors(items, count, wire.index)
    if vectors is None:
        found = len(items) if isinstance(items, list) else 0
        raise broken_reply_error(f"the service answered with {found} vectors for {count} texts")
    return vectors


def _unwrapped(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object that holds the choices."""
    if not body.get("choices"):
        for key in ENVELOPES:
            inner = body.get(key)
            if isinstance(inner, Mapping) and "choices" in inner:
                return inner
    return body


def _first_choice(choices: object) -> Mapping[str, Any] | None:
    """Return the first choice; other choices are never requested."""
    if isinstance(choices, Mapping):
        choices = [choices] if choices.keys() & {"message", "delta", "text"} else list(choices.values())
    if not isinstance(choices, list) or not choices:
        return None
    choices = [{"text": choice} if isinstance(choice, str) else choice for choice in choices]
    first = [choice for choice in choices if isinstance(choice, Mapping) and not parse_count(choice.get("index"))]
    return first[0] if first else None
