"""What a service refuses: found out by requests that may do without, told once in the log, and not sent again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator

from msgspec.structs import replace

from ..errors import ProviderError
from ..messages import Request, Response, Usage
from ..options import Options

LOG = logging.getLogger("quackllm")
Send = Callable[[Request], Awaitable[Response]]
LOGPROBS, FORMAT, LIMIT = "logprobs", "response_format", "max_tokens"
NAMED_AS = {
    LOGPROBS: ("logprob",),
    FORMAT: ("response_format", "json_schema", "json_object", "structured_outputs", "schema"),
    LIMIT: ("max_tokens", "max_completion_tokens", "max_output_tokens"),
}
"""How services name an option where they refuse it."""
REFUSALS = (400, 422)


class RefusedOptions:
    """Sends requests of `best_effort` without the options that the service refuses.

    Args:
        model: how the service calls the model, for the log.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._refused: set[str] = set()
        self._accepted: set[str] = set()

    async def answer(self, request: Request, send: Send) -> Response:
        """Return the answer, with as many of the options as the service takes.

        Args:
            request: the request.
            send: sends a request to the service.

        Raises:
            ProviderError: the service refuses the request whatever its options.
        """
        request = without(request, self._refused)
        try:
            response = await send(request)
        except ProviderError as error:
            if error.status not in REFUSALS:
                raise
            return await self._answer_with_fewer(request, send, error)
        self._accepted |= options_in(request)
        if response.finish_reason != "length" or response.output or LIMIT not in options_in(request):
            return response
        return await self._answer_without_limit(request, send, response)

    async def _answer_with_fewer(self, request: Request, send: Send, error: ProviderError) -> Response:
        for left_out in self._suspects(request, error):
            try:
                response = await send(without(request, left_out))
            except ProviderError as other:
                if other.status not in REFUSALS:
                    raise
                continue
            self._accepted |= options_in(request) - left_out
            if not left_out & self._accepted:  # Else it was this one schema, or this one limit.
                self._remember(left_out, f"refuses it: {error.message}")
            return response
        raise error

    def _suspects(self, request: Request, error: ProviderError) -> Iterator[set[str]]:
        """Yield what may be the cause: the options that the error names, else each alone, then all together."""
        words = f"{error.code} {error.message}".lower()
        given = options_in(request)
        named = {option for option in given if any(word in words for word in NAMED_AS[option])}
        if named:
            yield named
            return
        possible = given - (self._accepted - {FORMAT})
        yield from ({option} for option in sorted(possible, reverse=True))
        if len(possible) > 1:
            yield possible

    async def _answer_without_limit(self, request: Request, send: Send, cut: Response) -> Response:
        """Ask a model again that spent all tokens of a short answer on thinking; both requests are counted."""
        self._remember({LIMIT}, "thinks before it answers")
        response = await send(without(request, {LIMIT}))
        read = cut.usage.input_tokens + response.usage.input_tokens
        return replace(response, usage=Usage(read, cut.usage.output_tokens + response.usage.output_tokens))

    def _remember(self, left_out: Collection[str], why: str) -> None:
        if new := sorted({*left_out} - self._refused):
            self._refused |= {*new}
            LOG.warning("%s is sent no %s from now on: the service %s", self._model, " and no ".join(new), why)


def options_in(request: Request) -> set[str]:
    """Return which of the options the request has."""
    given = {LOGPROBS: request.top_logprobs, FORMAT: request.options.response_format, LIMIT: request.options.max_tokens}
    return {option for option, value in given.items() if value}


def without(request: Request, left_out: Collection[str]) -> Request:
    """Return the request without these options."""
    if not options_in(request) & {*left_out}:
        return request
    options = Options(**request.options.model_dump(exclude_defaults=True, exclude={*left_out}))
    return replace(request, options=options, top_logprobs=0 if LOGPROBS in left_out else request.top_logprobs)
