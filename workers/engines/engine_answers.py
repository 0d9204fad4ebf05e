"""One place where what an engine returned becomes a Response: each field is checked, and no key of the model is in it.

An engine may be anybody's, and a service may write the key that it was sent into its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from msgspec.structs import replace

from ..messages import Failure, FinishReason, Response, Usage
from ..secret_refs import ChunkRedactor, Redactor
from .reply_errors import MAX_CODE, MAX_MESSAGE, broken_reply_error, empty_choice_error
from .reply_fields import parse_count, parse_text, parse_vector, split_reasoning, valid_text
from .token_logprobs import checked_logprobs

FINISH_REASONS = frozenset(get_args(FinishReason))


def checked_response(given: object, keys: Redactor) -> Response:
    """Return an engine's Response, each field of it checked and made what it has to be.

    Args:
        given: what the engine returned.
        keys: hides the model's keys, which a service may write into its answer.

    Raises:
        ProviderError: it is none.
    """
    if not isinstance(given, Response):
        raise broken_reply_error(f"the engine answered with {type(given).__name__}, not with a Response")
    output, reasoning = _checked_text(given.output), _checked_text(given.reasoning)
    if output and not reasoning and "</" in output:
        output, reasoning = split_reasoning(output)
    reason: FinishReason = given.finish_reason if given.finish_reason in FINISH_REASONS else "stop"
    error = None if given.error is None else checked_failure(given.error)
    if error and reason == "stop":
        reason = "error"
    if error is None and reason == "stop" and output is None and given.embedding is None:
        raise empty_choice_error("the engine answered with nothing")
    checked = replace(
        given,
        output=output,
        reasoning=reasoning,
        error=error,
        history=(),
        embedding=None,
        finish_reason=reason,
        usage=checked_usage(given.usage),
        request_id=_checked_text(given.request_id),
        tool_calls=_checked_text(given.tool_calls),
        logprobs=checked_logprobs(given.logprobs),
        from_store=False,
    )
    return _without_keys(checked, keys)


def _without_keys(response: Response, keys: Redactor) -> Response:
    """Hide the keys; the tokens of an answer that held one go as well, since each may be a part of it."""
    hidden: dict[str, Any] = {
        name: ChunkRedactor(keys).whole(text)
        for name in ("output", "reasoning", "request_id", "tool_calls")
        if (text := getattr(response, name))
    }
    if response.error:
        error = response.error
        hidden["error"] = replace(error, code=keys.text(error.code), message=keys.text(error.message))
    if all(value == getattr(response, name) for name, value in hidden.items()):
        return response
    return replace(response, **hidden, logprobs=None)


def checked_usage(usage: object) -> Usage:
    """Return the tokens that an engine counted; 0 for what is no count."""
    if not isinstance(usage, Usage):
        return Usage()
    read, written = parse_count(usage.input_tokens), parse_count(usage.output_tokens)
    return Usage(read or 0, written or 0)


def checked_vectors(given: object, count: int) -> list[tuple[float, ...] | None]:
    """Return an engine's vectors, one a text; None for one that is none.

    Raises:
        ProviderError: there are more or fewer than texts.
    """
    if hasattr(given, "tolist"):
        given = given.tolist()
    vectors = list(given) if isinstance(given, Sequence) and not isinstance(given, str | bytes) else []
    if len(vectors) != count:
        raise broken_reply_error(f"the engine answered with {len(vectors)} vectors for {count} texts")
    return [parse_vector(vector) for vector in vectors]


def _checked_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value and valid_text(value)
    return valid_text(parse_text(value)[0])


def checked_failure(error: object) -> Failure:
    """Return why an engine did not answer, each field of it checked."""
    if not isinstance(error, Failure):
        return Failure("engine_error", (_checked_text(error) or "")[:MAX_MESSAGE])
    code, message = _checked_text(error.code), _checked_text(error.message)
    status = error.status if isinstance(error.status, int) else None
    return Failure((code or "")[:MAX_CODE], (message or "")[:MAX_MESSAGE], bool(error.retryable), status)
