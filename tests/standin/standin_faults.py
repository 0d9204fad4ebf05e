"""Faults that the stand-in can be told to show, and what each looks like on either wire.

A script is a list of faults. Each request takes the first one that applies to it and is not used up;
`slow` is the exception: it delays the request, and the search goes on.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

REFUSALS: dict[str, dict[str, tuple[int, str, str]]] = {
    "rate_limit": {
        "openai": (429, "rate_limit_exceeded", "Rate limit reached for requests. Please try again later."),
        "dashscope": (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later."),
    },
    "quota": {
        "openai": (429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing."),
        "dashscope": (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    },
    "server_error": {
        "openai": (500, "server_error", "The server had an error while processing your request."),
        "dashscope": (500, "InternalError", "An internal error has occurred, please try again later."),
    },
    "overloaded": {
        "openai": (503, "service_unavailable", "The engine is currently overloaded, please try again later."),
        "dashscope": (503, "ModelServingError", "Too many requests. Your requests are being throttled."),
    },
    "wrong_key": {
        "openai": (401, "invalid_api_key", "Incorrect API key provided: {key}. You can find your API key online."),
        "dashscope": (401, "InvalidApiKey", "Invalid API-key provided: {key}."),
    },
    "unknown_model": {
        "openai": (404, "model_not_found", "The model `{model}` does not exist or you do not have access to it."),
        "dashscope": (404, "ModelNotFound", "Model can not be found: {model}."),
    },
    "context": {
        "openai": (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
        "dashscope": (400, "InvalidParameter", "Range of input length should be [1, 30720]"),
    },
    "refused_content": {
        "openai": (400, "content_filter", "The response was filtered due to the prompt triggering our policy."),
        "dashscope": (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
    },
    "bad_request": {
        "openai": (400, "invalid_value", "The request cannot be read."),
        "dashscope": (400, "InvalidParameter", "The request cannot be read."),
    },
}
OTHERS = (
    "drop",
    "drop_midway",
    "half_json",
    "empty_choice",
    "empty_content",
    "length",
    "filter",
    "hang",
    "slow",
    "reply",
)


@dataclass
class Fault:
    """One fault and when it applies.

    Args:
        fault: a key of `REFUSALS`, or one of `OTHERS`.
        times: how many requests it takes; None: all.
        window_seconds: it applies for so long after the script was posted.
        every: it takes each n-th of the requests that it could take.
        marker: it takes only requests whose messages hold this text.
        option: it takes only requests with this option.
        per_second: it takes only what comes above this rate.
        at_once: it takes only what comes while so many others are under way.
        key: it takes only requests with another key than this one.
        retry_after: the header of that name: seconds, or an HTTP date.
        retry_after_ms: the header of that name.
        status, code, message: in place of the refusal's own.
        text, reasoning, tool_calls, finish_reason: what `reply` says; a `text` of '' is none.
        logprobs: for each token of the text a list of `[token, log probability]`, the token itself first.
        seconds, sigma: how long `slow` takes; with a sigma that is the median of a log-normal draw.
        piece_seconds: how long `slow` waits between the pieces of a stream.
    """

    fault: str
    times: int | None = None
    window_seconds: float | None = None
    every: int = 1
    marker: str = ""
    option: str = ""
    per_second: int | None = None
    at_once: int | None = None
    key: str | None = None
    retry_after: str | float | None = None
    retry_after_ms: int | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    text: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    logprobs: list[list[tuple[str, float]]] | None = None
    finish_reason: str = "stop"
    seconds: float = 0.0
    sigma: float = 0.0
    piece_seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)
    seen: int = 0
    taken: int = 0
    let_through: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        if self.fault not in REFUSALS and self.fault not in OTHERS:
            raise ValueError(f"no fault is called {self.fault!r}: {sorted(REFUSALS)} {sorted(OTHERS)}")

    def takes(self, prompt: str, key: str, under_way: int) -> bool:
        """Whether this request gets the fault; counts it where it does."""
        if self._over() or self.marker not in prompt or (self.key is not None and key == self.key):
            return False
        if self.at_once is not None and under_way <= self.at_once:
            return False
        if self.per_second is not None and self._within_rate():
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        self.taken += 1
        return True

    def _over(self) -> bool:
        used_up = self.times is not None and self.taken >= self.times
        return used_up or (self.window_seconds is not None and time.monotonic() > self.began + self.window_seconds)

    def _within_rate(self) -> bool:
        now = time.monotonic()
        while self.let_through and self.let_through[0] < now - 1:
            self.let_through.popleft()
        if len(self.let_through) < (self.per_second or 0):
            self.let_through.append(now)
            return True
        return False
