"""What a service says when it does not answer: error bodies of every shape, and what each stands for."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

from ..errors import ProviderError
from .reply_events import FramingError, read_events
from .reply_fields import MAX_DEPTH, parse_ending, valid_text

MAX_MESSAGE, MAX_CODE = 2000, 100
"""Maximum number of characters of a service's message."""

ERROR_KEYS = ("error", "errors", "Error", "err", "exception", "fault")
"""Where these hold something, the reply is an error, whatever else it holds."""
ENVELOPE_KEYS = ("base_resp", "Response", "response", "header", "detail", "details", "data", "output", "result")
"""Where services put an error that their reply does not call one."""
WORD_KEYS = (
    *("message", "msg", "Message", "error_msg", "errorMessage", "error_message", "status_msg", "errmsg", "err_msg"),
    *(
        "statusText",
        "statusMessage",
        "errMsg",
        "faultstring",
        "error_description",
        "detail",
        "title",
        "reason",
        "description",
    ),
)
CODE_KEYS = (
    *("code", "Code", "error_code", "errorCode", "status_code", "errcode", "err_code", "errno", "ret"),
    *("status", "type", "faultcode"),
)
FINE_CODES = frozenset({"", "0", "200", "ok", "success", "succeeded", "true", "none", "null", "completed"})

FATAL_CODES = frozenset(
    {
        *("insufficient_quota", "insufficient_balance", "quota_exceeded", "billing_hard_limit_reached"),
        *("invalid_api_key", "invalidapikey", "authentication_error", "unauthorized", "permission_denied"),
        *("model_not_found", "model_not_exist", "modelnotfound", "arrearage", "accessdenied", "account_deactivated"),
        "exceeded_current_quota_error",  # Moonshot
        *("1000", "1001", "1002", "1003", "1004", "1113", "1211"),  # Zhipu: key, credit, model; MiniMax 1004: key
        *("1008", "2049"),  # MiniMax: credit, key
        "20012",  # SiliconFlow: no such model
        *("110", "111", "336007"),  # Qianfan: token, expired token
        *("40101", "40102", "40103", "40301"),  # FastChat: key, model
        *("authfailure", "authfailure.secretidnotfound", "authfailure.signaturefailure"),  # Tencent
    }
)
"""Codes of what no other row can change: no credit, a wrong key, an unknown model; some come with status 400 or 429."""
LATER_CODES = (
    *("throttling", "internalerror", "serviceunavailable", "modelserv", "requesttimeout", "responsetimeout"),
    *("rate_limit", "rate_limited", "requestlimitexceeded", "limitexceeded", "server_error", "overloaded", "timeout"),
    *("1302", "1303", "1305", "1312", "336501", "336502", "42901", "42903", "50001"),
)
"""What codes begin with that may pass; DashScope's come without their status inside a stream."""
LATER_STATUSES = frozenset({408, 409, 425, 429})
FATAL_STATUSES = frozenset({401, 402, 403, 404})
FATAL_WORDS = re.compile(
    r"(invalid|incorrect|wrong|missing|expired|no|bad) (\w+ )?(api|access|auth)[ _-]?(key|token)"
    r"|unauthori[sz]ed|authentication fail|login fail|invalid authentication|insufficient (balance|credit|quota)",
    re.IGNORECASE,
)
LATER_WORDS = re.compile(
    r"rate.?limit|too many requests|overload|busy|try again|retry|temporar|timed? ?out|throttl|internal|upstream"
    r"|unavailable|server error|connection",
    re.IGNORECASE,
)
"""Where neither a status nor a code says what it is."""
NO_KEY = "no key was sent: "
HINTS = {
    401: "deploy the model with a valid key: saas.api_key=env:NAME, with the key in the variable NAME",
    404: "is the model's name right (saas.model), and the address (saas.base_url)?",
}


@dataclass(frozen=True, slots=True)
class ServiceError:
    """What a service's reply says of an error: its words, its code, where it gave them."""

    message: str = ""
    code: str | None = None

    @property
    def has_content(self) -> bool:
        """Whether the reply says that something went wrong."""
        return bool(self.message) or self.code is not None


def find_error(body: object) -> ServiceError | None:
    """Return the error that a JSON reply speaks of beside, or in place of, an answer; None: it speaks of none."""
    if not isinstance(body, Mapping):
        return None
    for key in ERROR_KEYS:
        if (inner := body.get(key)) and (found := _read_error(inner)).has_content:
            return ServiceError(found.message, found.code or _find_code(body))
    base = body.get("base_resp")
    if isinstance(base, Mapping) and (found := _read_error(base)).code is not None:
        return found
    return None


def find_bare_error(body: object) -> ServiceError | None:
    """Return the error that a JSON reply without an answer stands for."""
    if not isinstance(body, Mapping):
        return None
    found = _read_error(body)
    if not found.message and found.code in (body.get("type"), body.get("status")):
        return None  # An event that keeps the connection alive, e.g. {"type": "ping"}.
    failed = body.get("success") is False or body.get("object") == "error" or body.get("status") in ("error", "failed")
    return found if found.code is not None or (failed and found.has_content) or _has_only_message(body, found) else None


def read_error_body(body: bytes, charset: str | None = None) -> ServiceError:
    """Return what the body of a refusal says: JSON of any shape, an event, HTML or plain text."""
    try:
        values = [event.value for event in read_events(body, charset) if not event.ends]
    except FramingError:
        values = [body[: 4 * MAX_MESSAGE].decode("utf-8", "replace")]
    for value in values:
        if (found := _read_error(value)).has_content:
            return found
    message = json.dumps(values[0], ensure_ascii=False, default=str) if values and values[0] else ""
    return ServiceError(_bounded(message))


def _has_only_message(body: Mapping[str, Any], found: ServiceError) -> bool:
    return bool(found.message) and not body.keys() & {"id", "usage", "model", "created"}


def _read_error(value: object, depth: int = 0) -> ServiceError:
    if isinstance(value, str):
        return ServiceError(_bounded(_without_tags(value)))
    if depth > MAX_DEPTH:
        return ServiceError()
    if isinstance(value, list):
        return next(
            (found for item in value[:20] if (found := _read_error(item, depth + 1)).has_content), ServiceError()
        )
    if not isinstance(value, Mapping):
        return ServiceError()
    message = next((value[key] for key in WORD_KEYS if isinstance(value.get(key), str) and value[key].strip()), "")
    code = _find_code(value)
    for key in (*ERROR_KEYS, *ENVELOPE_KEYS):
        inner = value.get(key)
        is_one = isinstance(inner, list | Mapping) or (key in ERROR_KEYS and isinstance(inner, str))
        if is_one and (found := _read_error(inner, depth + 1)).has_content:
            return ServiceError(found.message or _bounded(message), found.code or code)
    return ServiceError(_bounded(message) if code is not None or not _says_fine(value) else "", code)


def _find_code(value: Mapping[str, Any]) -> str | None:
    for key in CODE_KEYS:
        code = value.get(key)
        if isinstance(code, str | int) and not isinstance(code, bool):
            text = valid_text(str(code)).strip()[:MAX_CODE]
            if text.lower() not in FINE_CODES:
                return text
    return None


def _says_fine(value: Mapping[str, Any]) -> bool:
    """Whether a code is there, and says that all is well."""
    return any(str(value[key]).lower() in FINE_CODES - {""} for key in CODE_KEYS if value.get(key) is not None)


def _without_tags(text: str) -> str:
    if not re.match(r"\s*<(!doctype|html|head|body|\?xml)", text, re.IGNORECASE):
        return text
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    plain = title[1] if title else re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    return " ".join(unescape(plain).split())


def _bounded(text: str) -> str:
    text = valid_text(text.strip())
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"


def refusal_error(
    message: str,
    *,
    code: str | None,
    status: int | None,
    headers: Mapping[str, str] | None = None,
    key_sent: bool = True,
) -> ProviderError:
    """Return the error that a service's refusal stands for.

    Args:
        message: the service's own message.
        code: its own code, where it gave one; one of three digits is read as a status.
        status: the HTTP status; 200 where the service refuses without one.
        headers: the reply's headers, for Retry-After.
        key_sent: whether the request had a key.
    """
    if status == 200:
        status = None
    if status is None and code and re.fullmatch("[45][0-9][0-9]", code):
        status = int(code)
    code = code or str(status or "service_error")
    name = code.lower()
    filtered = parse_ending(code, has_text=True) == "filter"
    fatal = not filtered and (status in FATAL_STATUSES or name in FATAL_CODES)
    later = status in LATER_STATUSES or (status or 0) >= 500 or name.startswith(LATER_CODES)
    if status is None and not (filtered or fatal or later):
        fatal, later = bool(FATAL_WORDS.search(message)), bool(LATER_WORDS.search(message))
    retryable = later and not fatal and not filtered
    return ProviderError(
        message or f"the service answered with {f'HTTP status {status}' if status else 'an error'}",
        code=code,
        retryable=retryable,
        retry_after_seconds=retry_after(headers or {}) if retryable else None,
        setup=fatal,
        finish_reason="filter" if filtered else "error",
        status=status,
        hint=f"{'' if key_sent or status != 401 else NO_KEY}{HINTS.get(status or 0, '')}" if fatal else "",
    )


def empty_choice_error(message: str = "the service answered with nothing") -> ProviderError:
    """Return the error for a reply that holds no answer."""
    return ProviderError(message, code="empty_choice", retryable=True)


def broken_reply_error(message: str) -> ProviderError:
    """Return the error for a reply that cannot be read, or that stops in its middle."""
    return ProviderError(_bounded(message), code="broken_reply", retryable=True)


def connection_error(error: BaseException) -> ProviderError:
    """Return the error for a connection that failed."""
    message = _bounded(str(error)) or type(error).__name__
    return ProviderError(f"the connection to the service was lost: {message}", code="connection", retryable=True)


def timeout_error() -> ProviderError:
    """Return the error for a reply that did not come in time."""
    return ProviderError("the service did not reply in time", code="timeout", retryable=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the service asks to wait, from Retry-After-Ms or Retry-After (seconds or a date)."""
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds = _number(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = lower.get("retry-after")
    seconds = _number(given)
    if given is None or seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else max(0.0, number)
