"""Retries, back-off, Retry-After, rates and time limits: once, for all engines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar
from weakref import WeakSet

from aiolimiter import AsyncLimiter

from ..deployments.spec import Limits
from ..errors import ProviderError
from ..log_events import log_event
from ..messages import Request, Usage

Answer = TypeVar("Answer")

MAX_CONNECT_ATTEMPTS = 3
"""How often a service that has never been reached is tried."""
MAX_PAUSE_SECONDS = 60.0
"""The longest that one Retry-After can hold a model back: services have been seen to ask for a day, or for ever."""
CHARACTERS_PER_TOKEN = 3
"""A cautious guess for the rate limit, corrected by the real count as soon as the answer is there."""


_POLICIES: WeakSet[RetryPolicy] = WeakSet()


def longest_pause() -> float:
    """Return the longest pause in seconds that a service of this process asked for; 0 if none did."""
    return max((policy.paused_seconds for policy in _POLICIES), default=0.0)


class RetryPolicy:
    """Calls a service until it answers, no faster than allowed.

    Args:
        limits: the model's limits over all its workers.
        workers: of how many workers this is one; each keeps to its part of the rates.
        model: its name, for the log.
    """

    def __init__(self, limits: Limits, workers: int = 1, model: str = "") -> None:
        self.limits = limits
        self.retries = 0
        self._model = model
        self._workers = 0
        self.set_worker_count(workers)
        self._paused_until = 0.0
        self._reopened = asyncio.Event()
        self._waiting = 0
        self._reached = False
        _POLICIES.add(self)

    @property
    def paused_seconds(self) -> float:
        """How long the service still asks for a pause, in seconds; 0 if it can be called."""
        return max(0.0, self._paused_until - monotonic())

    @property
    def has_rates(self) -> bool:
        """Whether requests are counted: by the minute, or by their tokens."""
        return bool(self._requests or self._tokens)

    def set_worker_count(self, workers: int) -> None:
        """Keep to the part of the rates that is left to one of so many workers."""
        if workers != self._workers:
            self._workers = workers
            self._requests = _per_minute(self.limits.requests_per_minute, workers)
            self._tokens = _per_minute(self.limits.tokens_per_minute, workers)

    async def call(self, function: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
        """Return the answer of `function(request)`, called again while that can help.

        Raises:
            ProviderError: the last failure, when it is not retryable or the attempts are used up; a
                service that was never reached is a failure of the set-up.
        """
        attempt = 1
        while True:
            try:
                return await self._attempt(function, request)
            except ProviderError as error:
                if not error.retryable:
                    raise
                if attempt >= self._max_attempts():
                    self._blame_setup(error)
                    raise
                await asyncio.sleep(_backoff(error, attempt))
            attempt += 1
            self.retries += 1

    def _max_attempts(self) -> int:
        """A service that has answered before comes back; for a service that never answered the wait is shorter."""
        max_attempts = self.limits.max_attempts
        return max_attempts if self._reached else min(max_attempts, MAX_CONNECT_ATTEMPTS)

    def _blame_setup(self, error: ProviderError) -> None:
        if not self._reached:
            error.setup, error.hint = True, "is it running, and is its address right? See: quackllm list"

    async def _attempt(self, function: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
        await self._wait_for_rate(request)
        limit = request.options.timeout_seconds or self.limits.timeout_seconds
        try:
            async with asyncio.timeout(limit):
                answer = await function(request)
        except TimeoutError as error:
            raise ProviderError(f"no answer within {limit:g} s", code="timeout", retryable=True) from error
        except ProviderError as error:
            self._reached |= error.code != "connection"
            if error.retry_after_seconds:
                self._pause(error.retry_after_seconds)
            raise
        self._reached = True
        self._reopen()
        return answer

    def _pause(self, seconds: float) -> None:
        """Call the service no more for a while: it speaks to all of this worker's requests, not only to one."""
        bounded = min(seconds, MAX_PAUSE_SECONDS)
        if bounded > self.paused_seconds + 1:
            log_event("paused", model=self._model, seconds=bounded, asked_for=min(seconds, 1e9))
        self._paused_until = max(self._paused_until, monotonic() + bounded)

    def _reopen(self) -> None:
        """End the pause: the service answers again, or no request waits any more."""
        if self._paused_until:
            self._paused_until = 0.0
            self._reopened.set()
            self._reopened = asyncio.Event()

    async def _wait_for_rate(self, request: Request) -> None:
        while self.paused_seconds:
            await self._wait_for_pause()
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            await self._take_tokens(estimate_tokens(request))

    async def _wait_for_pause(self) -> None:
        reopened = self._reopened
        self._waiting += 1
        try:
            async with asyncio.timeout(self.paused_seconds + random.uniform(0, 0.1)):
                await reopened.wait()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if self._waiting == 1:  # The last who waited was interrupted: whoever comes next may try.
                self._reopen()
            raise
        finally:
            self._waiting -= 1

    async def charge_tokens(self, request: Request, usage: Usage) -> None:
        """Count the tokens that an answer took beyond the guess; waits while the service's minute is used up."""
        if self._tokens:
            await self._take_tokens(usage.input_tokens + usage.output_tokens - estimate_tokens(request))

    async def _take_tokens(self, count: float) -> None:
        if self._tokens and count > 0:
            await self._tokens.acquire(min(count, self._tokens.max_rate))


def _per_minute(rate: float | None, workers: int) -> AsyncLimiter | None:
    # One second's worth at a time: a whole minute's allowance in one burst is what services refuse.
    if rate is None:
        return None
    each = rate / workers
    return AsyncLimiter(max(each / 60, 1), max(each / 60, 1) * 60 / each)


def estimate_tokens(request: Request) -> int:
    """Return about how many tokens a request has, by its characters."""
    return 1 + sum(len(message.content) for message in request.messages) // CHARACTERS_PER_TOKEN


def _backoff(error: ProviderError, attempt: int) -> float:
    """Full jitter under an exponential ceiling; with Retry-After the shared pause in `_wait_for_rate` waits instead.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    if error.retry_after_seconds:
        return 0.0
    return random.uniform(0, min(30.0, 0.5 * 2**attempt))
