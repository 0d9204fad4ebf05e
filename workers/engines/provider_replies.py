"""What a service's reply means: one reading for every vendor's finish reasons, codes, statuses and headers."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ..errors import ProviderError
from ..messages import Failure, FinishReason, Response, Usage

HIDDEN = "(hidden)"
END_OF_THINKING = "</think>"
WHOLE = frozenset({"stop", "tool_calls", "function_call"})
CUT_OFF = Failure("length", "the answer was cut off at the token limit")
CUT = frozenset({"length", "max_tokens"})
FILTERED = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "sensitive",
        "1301",  # Zhipu
        "DataInspectionFailed",
        "data_inspection_failed",
    }
)
HOPELESS = frozenset(
    {
        "insufficient_quota",
        "insufficient_balance",
        "exceeded_current_quota_error",  # Moonshot
        "1113",  # Zhipu: no credit
        "Arrearage",
        "invalid_api_key",
        "model_not_found",
        "1211",  # Zhipu: no such model
        "20012",  # SiliconFlow: no such model
    }
)
"""Codes of what no other row can change: no credit, a wrong key, an unknown model; some come with status 400 or 429."""

TRY_LATER = frozenset({408, 409, 425, 429})
TRY_LATER_CODES = (
    "Throttling",
    "InternalError",
    "ServiceUnavailable",
    "ModelServ",
    "RequestTimeOut",
    "ResponseTimeout",
)
"""DashScope's, which come without their status inside a stream."""

NEVER = frozenset({401, 402, 403, 404})
HINTS = {
    401: "deploy the model with a valid key: saas.api_key=env:NAME, with the key in the variable NAME",
    404: "is the model's name right (saas.model), and the address (saas.base_url)?",
}


def finished(
    reason: str,
    output: str | None,
    *,
    reasoning: str | None = None,
    words: str | None = None,
    usage: Usage | None = None,
    request_id: str | None = None,
    tool_calls: list[dict[str, Any]] | None = None,
) -> Response:
    """Return the Response of an answer that ended for that reason.

    Args:
        reason: the service's finish reason.
        output: the text, which may be partial.
        words: what the service says of a refusal.
        tool_calls: which tools the model wants called, and with what.

    Raises:
        ProviderError: there is no text, or the answer ended in a way that asks for another try.
    """
    failure: Failure | None = None
    finish_reason: FinishReason = "stop"
    calls = json.dumps(tool_calls, ensure_ascii=False) if tool_calls else None
    if reason in CUT:
        finish_reason, failure = "length", CUT_OFF
    elif reason in FILTERED:
        finish_reason, failure = "filter", Failure(reason, words or "the service withheld the answer")
    elif reason not in WHOLE:
        raise ProviderError(f"the service ended the answer with {reason!r}", code=reason, retryable=True)
    elif not output and not calls:
        raise empty_choice()
    return Response(
        output or calls,
        reasoning or None,
        failure,
        finish_reason=finish_reason,
        usage=usage or Usage(),
        request_id=request_id,
        tool_calls=calls,
    )


class Growing:
    """An answer that arrives in pieces."""

    def __init__(self) -> None:
        self.request_id: str | None = None
        self.usage = Usage()
        self._output: list[str] = []
        self._reasoning: list[str] = []
        self._words: str | None = None
        self._reason: str | None = None
        self._tool_calls: dict[int, dict[str, Any]] = {}

    def add(self, message: dict[str, Any], reason: str | None) -> str:
        """Take a piece of the message, and why it ended where it did; return the piece of the output."""
        self._reason = reason or self._reason
        self._words = message.get("refusal") or self._words
        self._reasoning.append(thinking(message) or "")
        self._output.append(message.get("content") or "")
        for call in message.get("tool_calls") or ():
            self._add_call(call)
        return self._output[-1]

    def _add_call(self, piece: dict[str, Any]) -> None:
        """Take a piece of a tool's call: its name comes first, its arguments in runs of text."""
        call = self._tool_calls.setdefault(piece.get("index", len(self._tool_calls)), {"type": "function"})
        function = call.setdefault("function", {"name": "", "arguments": ""})
        call.update({name: piece[name] for name in ("id", "type") if piece.get(name)})
        for name, text in (piece.get("function") or {}).items():
            function[name] = function.get(name, "") + (text or "")

    def response(self) -> Response:
        """Return the whole answer.

        Raises:
            ProviderError: the stream ended before the answer did.
        """
        output = "".join(self._output)
        if self._reason is None:
            raise broken("the stream ended before the answer did") if output or self._tool_calls else empty_choice()
        return finished(
            self._reason,
            output,
            reasoning="".join(self._reasoning),
            words=self._words,
            usage=self.usage,
            request_id=self.request_id,
            tool_calls=list(self._tool_calls.values()),
        )


def thinking(message: dict[str, Any]) -> str | None:
    """Return what was thought before the answer: DeepSeek's and Qwen's field, or vLLM's and OpenRouter's."""
    return message.get("reasoning_content") or message.get("reasoning")


def thinking_apart(text: str) -> tuple[str, str | None]:
    """Return a local model's answer, and what it thought before it, where it writes `</think>`."""
    thought, end, rest = text.partition(END_OF_THINKING)
    return (rest.lstrip(), thought.removeprefix("<think>").strip()) if end else (text, None)


def empty_choice(words: str = "the service answered with nothing") -> ProviderError:
    """Return the error for a reply that holds no answer."""
    return ProviderError(words, code="empty_choice", retryable=True)


def broken(words: str) -> ProviderError:
    """Return the error for a reply that cannot be read, or that stops in its middle."""
    return ProviderError(words, code="broken_reply", retryable=True)


def refusal(
    words: str, *, code: str | None, status: int | None, headers: Mapping[str, str] | None = None, secret: str = ""
) -> ProviderError:
    """Return the error that a service's refusal stands for.

    Args:
        words: the service's own message.
        code: its own code, where it gave one.
        status: the HTTP status.
        headers: the reply's headers, for Retry-After.
        secret: the key, which some services repeat in their message.
    """
    code = code or str(status)
    filtered = code in FILTERED
    setup = not filtered and (status in NEVER or code in HOPELESS)
    later = status is None or status in TRY_LATER or status >= 500 or code.startswith(TRY_LATER_CODES)
    retryable = later and not setup and not filtered
    return ProviderError(
        scrubbed(words, secret) or f"the service answered with HTTP status {status}",
        code=code,
        retryable=retryable,
        retry_after_seconds=retry_after(headers or {}) if retryable else None,
        setup=setup,
        finish_reason="filter" if filtered else "error",
        status=status,
        hint=HINTS.get(status or 0, "") if setup else "",
    )


def lost_connection(error: BaseException) -> ProviderError:
    """Return the error for a connection that failed, or a reply that did not come in time."""
    links = [error]
    while (cause := links[-1].__cause__ or links[-1].__context__) and cause not in links:
        links.append(cause)
    if any(isinstance(link, TimeoutError) for link in links):
        return ProviderError("the service did not reply in time", code="timeout", retryable=True)
    words = str(error) or type(error).__name__
    return ProviderError(f"the connection to the service was lost: {words}", code="connection", retryable=True)


def scrubbed(text: str, secret: str) -> str:
    """Return the text without the secret."""
    return text.replace(secret, HIDDEN) if secret else text


def harmless(error: BaseException, secret: str) -> BaseException | None:
    """Return the error to chain as a cause, or None where its own text would show the secret."""
    return None if secret and secret in f"{error} {error!r}" else error


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the service asks to wait, from Retry-After-Ms or Retry-After (seconds or a date)."""
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds = _number(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = lower.get("retry-after")
    if given is None:
        return None
    seconds = _number(given)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
