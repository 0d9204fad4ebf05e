"""Retries, back-off, Retry-After, rates and time limits: once, for all engines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from ..deployments.spec import Limits
from ..errors import ProviderError
from ..messages import Request, Usage

Answer = TypeVar("Answer")

ATTEMPTS_TO_REACH = 3
"""How often a service that has never been reached is tried."""
CHARACTERS_PER_TOKEN = 3
"""A cautious guess for the rate limit, corrected by the real count as soon as the answer is there."""


class Patience:
    """Calls a service until it answers, no faster than allowed.

    Args:
        limits: what the model may ask in all.
        share: of how many workers this is one; each keeps to its part of the rates.
    """

    def __init__(self, limits: Limits, share: int = 1) -> None:
        self.limits = limits
        self.retries = 0
        self._share = 0
        self.share_among(share)
        self._open_at = 0.0
        self._reached = False

    def share_among(self, workers: int) -> None:
        """Keep to the part of the rates that is left to one of so many workers."""
        if workers != self._share:
            self._share = workers
            self._requests = _per_minute(self.limits.requests_per_minute, workers)
            self._tokens = _per_minute(self.limits.tokens_per_minute, workers)

    async def answer(self, ask: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
        """Return the answer to `ask(request)`, tried again while that can help.

        Raises:
            ProviderError: the last failure, when it is not retryable or the attempts are used up; a
                service that was never reached is a failure of the set-up.
        """
        try:
            return await self._attempt(ask, request)
        except ProviderError as error:
            if not _can_be_tried_again(error) or self.limits.max_attempts == 1:
                raise
            first = error
        await asyncio.sleep(_back_off(first, 1))
        retrying = AsyncRetrying(
            retry=retry_if_exception(_can_be_tried_again),
            stop=self._enough,
            wait=_wait,
            reraise=True,
        )
        try:
            return await retrying(self._again, ask, request)
        except ProviderError as error:
            if not self._reached:
                error.setup, error.hint = True, "is it running, and is its address right? See: quackllm list"
            raise

    def _enough(self, state: RetryCallState) -> bool:
        """A service that has answered before comes back; one that nobody ever reached is not waited for as long."""
        attempts = self.limits.max_attempts if self._reached else min(self.limits.max_attempts, ATTEMPTS_TO_REACH)
        return state.attempt_number + 1 >= attempts

    async def _again(self, ask: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
        self.retries += 1
        return await self._attempt(ask, request)

    async def _attempt(self, ask: Callable[[Request], Awaitable[Answer]], request: Request) -> Answer:
        await self._permission(request)
        limit = request.options.timeout_seconds or self.limits.timeout_seconds
        try:
            async with asyncio.timeout(limit):
                answer = await ask(request)
            self._reached = True
            return answer
        except TimeoutError as error:
            raise ProviderError(f"no answer within {limit:g} s", code="timeout", retryable=True) from error
        except ProviderError as error:
            self._reached |= error.code != "connection"
            if error.retry_after_seconds:
                # The service speaks to all of this worker's requests, not only to the one that it answered.
                self._open_at = max(self._open_at, monotonic() + error.retry_after_seconds)
            raise

    async def _permission(self, request: Request) -> None:
        while (pause := self._open_at - monotonic()) > 0:
            await asyncio.sleep(pause + random.uniform(0, 0.1))
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            await self._take_tokens(guess_tokens(request))

    async def settle(self, request: Request, usage: Usage) -> None:
        """Count the tokens that an answer took beyond the guess; waits while the service's minute is used up."""
        if self._tokens:
            await self._take_tokens(usage.input_tokens + usage.output_tokens - guess_tokens(request))

    async def _take_tokens(self, count: float) -> None:
        if self._tokens and count > 0:
            await self._tokens.acquire(min(count, self._tokens.max_rate))


def _per_minute(rate: float | None, share: int) -> AsyncLimiter | None:
    # One second's worth at a time: a whole minute's allowance in one burst is what services refuse.
    if rate is None:
        return None
    each = rate / share
    return AsyncLimiter(max(each / 60, 1), max(each / 60, 1) * 60 / each)


def guess_tokens(request: Request) -> int:
    """Return about how many tokens a request has, by its characters."""
    return 1 + sum(len(message.content) for message in request.messages) // CHARACTERS_PER_TOKEN


def _can_be_tried_again(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.retryable


def _back_off(error: ProviderError, attempt: int) -> float:
    """Full jitter under an exponential ceiling; with Retry-After the shared pause in `_permission` waits instead.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    if error.retry_after_seconds:
        return 0.0
    return random.uniform(0, min(30.0, 0.5 * 2**attempt))


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ProviderError)
    return _back_off(error, state.attempt_number + 1)
