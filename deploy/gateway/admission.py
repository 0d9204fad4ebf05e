"""Admission: a dependency of every route that calls a model; checks the API key, and books what the request cost."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Annotated

from fastapi import Depends
from fastapi import Request as HttpRequest
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ...udf.calls.prices import Price, find_price
from ...udf.calls.scope import CallScope
from ...udf.settings import StatementOptions, StoreMode, load_settings
from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Request, Usage
from ...workers.serving.retry import estimate_tokens
from .auth.api_keys import Key, key_digest
from .auth.usage_ledger import NOTHING, Admission, Allowance, Cost, Ledger, Refusal
from .error_replies import GatewayError
from .state import Gateway, find_gateway

ANSWER_TOKENS = 256  # Estimated tokens of an answer whose request gives no limit; only used to reserve costs.


@dataclass(eq=False)
class Spending:
    """The statement through which a request calls models, and its cost; calls that were stopped are estimated."""

    scope: CallScope
    reserved: Cost = NOTHING  # What was reserved for it.
    price: Price | None = None
    input_tokens: int = 0  # Estimated, for each call.
    received_tokens: int = 0  # The estimated tokens of an answer that was stopped during the stream.
    stopped: bool = False

    @property
    def cost(self) -> Cost:
        """What it has spent so far; answers from the call store cost nothing."""
        spent = self.scope.usage
        stopped = spent.sent - spent.answered - spent.failed if self.stopped else 0
        guessed = Usage(stopped * self.input_tokens, self.received_tokens if stopped else 0)
        tokens = spent.input_tokens + spent.output_tokens + guessed.input_tokens + guessed.output_tokens
        money = (spent.money or 0.0) + (self.price.cost(guessed) if self.price else 0.0)
        return Cost(spent.sent, tokens, money)


@dataclass(eq=False)
class RequestContext:
    """One admitted request: which models it may call, and what it spends."""

    gateway: Gateway
    admitted: Admission | None  # None: the gateway has no keys, and every client may call it.
    spending: list[Spending] = field(default_factory=list)

    async def model(self, name: str) -> ModelSpec:
        """Return the model of that name.

        Raises:
            UnknownModelError: the model is not deployed.
            GatewayError: the API key may not call it.
        """
        spec = await self.gateway.model(name)
        if not self.may_call(spec.name):
            assert self.admitted
            message = f"the key {self.admitted.name} may not call the model {spec.name}"
            raise GatewayError(403, message, code="model_not_allowed", param="model")
        return spec

    @property
    def is_admin(self) -> bool:
        """Whether it may see all keys and the cost of all calls."""
        return self.admitted is None or self.admitted.key.admin

    def may_call(self, name: str) -> bool:
        """Whether the key may call this model."""
        return self.admitted is None or self.admitted.key.models is None or name in self.admitted.key.models

    async def begin(
        self, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
    ) -> tuple[Spending, Sequence[Request]]:
        """Reserve the cost of as many requests as the budget allows; return a statement for them, and these requests.

        These are all requests if the key has no budget, or enough.

        Args:
            spec: the model.
            requests: the requests to send.
            mode: how the call store is used; answers from it cost nothing.

        Raises:
            GatewayError: nothing is left.
        """
        unknown = [True] * len(requests)
        if self.admitted and self.admitted.key.has_budget:
            cached = await self.gateway.cached(spec, requests, CallScope(), mode)
            unknown = [answer is None for answer in cached]
        wanted = cost_ahead(
            spec, [request for request, is_missing in zip(requests, unknown, strict=True) if is_missing]
        )
        spending = await self.reserve(wanted)
        numbered = zip(accumulate(unknown), requests, strict=True)
        calls = spending.reserved.calls if spending.reserved != NOTHING else wanted.calls
        part = [request for number, request in takewhile(lambda pair: pair[0] <= calls, numbered)]
        spending.price, spending.input_tokens = find_price(spec), sum(map(estimate_tokens, part)) // max(1, len(part))
        return spending, part

    async def reserve(self, wanted: Cost) -> Spending:
        """Reserve what calls may cost, fewer calls if the budget has fewer left; return a statement for these calls.

        Args:
            wanted: the number of calls, and their estimated cost.

        Raises:
            GatewayError: nothing is left.
        """
        spending = Spending(CallScope())
        spending.scope.stops_calls = True
        if self.admitted and self.admitted.key.has_budget:
            allowed: Allowance | Refusal = Allowance(NOTHING)
            if wanted.calls:
                allowed = await self.gateway.ledger.call(Ledger.reserve, self.admitted.name, self.admitted.key, wanted)
            if isinstance(allowed, Refusal):
                raise refused(allowed)
            spending.reserved = allowed.reserved
            spending.scope.load_options = functools.partial(_statement_options, self.admitted.key, allowed)
        self.spending.append(spending)
        return spending

    async def settle(self, spending: Spending) -> None:
        """Charge the key for what was spent, and release what was reserved."""
        self.spending.remove(spending)
        if self.admitted:
            name, key = self.admitted.name, self.admitted.key
            await self.gateway.ledger.call(Ledger.charge, name, key, spending.cost, spending.reserved)


def cost_ahead(spec: ModelSpec, requests: Sequence[Request]) -> Cost:
    """Return the estimated cost of requests: their texts, plus the longest answers that they allow."""
    read = sum(map(estimate_tokens, requests))
    written = sum(each.options.max_tokens or ANSWER_TOKENS for each in requests if each.kind == "chat")
    price = find_price(spec)
    return Cost(len(requests), read + written, price.cost(Usage(read, written)) if price else 0.0)


def _statement_options(key: Key, allowed: Allowance) -> StatementOptions:
    """Return the limits of one statement: the user's settings, or what the key has left if that is less."""
    own = load_settings()
    given = {name: getattr(own, name) for name in StatementOptions.model_fields}
    calls = None if key.max_calls is None and allowed.reserved.calls else allowed.reserved.calls
    for name, most in (("calls", calls), ("tokens", allowed.tokens), ("money", allowed.money)):
        limits = [each for each in (most, given[f"llm_max_{name}"]) if each is not None]
        given[f"llm_max_{name}"] = min(limits, default=None)
    return StatementOptions(**given)


def refused(refusal: Refusal) -> GatewayError:
    """Return the error for a client that is not admitted, or whose budget is used up."""
    seconds = refusal.retry_after_seconds
    return GatewayError(
        refusal.status, refusal.message, code=refusal.code, retry_after_seconds=seconds, retryable=seconds is not None
    )


BEARER = HTTPBearer(auto_error=False, description="made by `quackllm keys add`; none where the gateway has no keys")


async def admit_request(
    request: HttpRequest, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> AsyncIterator[RequestContext]:
    """Admit or refuse a request; after the answer was sent, charge its key for what was spent.

    Raises:
        GatewayError: 401, or 429 with the time to wait.
    """
    gateway = find_gateway(request)
    admitted = await gateway.ledger.call(Ledger.admit, key_digest(shown.credentials.strip()) if shown else None)
    if isinstance(admitted, Refusal):
        raise refused(admitted)
    context = RequestContext(gateway, admitted)
    name = admitted.name if admitted else None
    gateway.acquire_slot(name, admitted.key.most_at_once if admitted else None)
    try:
        yield context
    finally:
        gateway.release_slot(name)
        for spending in [*context.spending]:
            await context.settle(spending)


async def identify_request(
    request: HttpRequest, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> RequestContext:
    """Refuse a request without a valid key; one whose key has nothing left to spend may still read.

    Raises:
        GatewayError: 401.
    """
    gateway = find_gateway(request)
    found = await gateway.ledger.call(Ledger.identify, key_digest(shown.credentials.strip()) if shown else None)
    if isinstance(found, Refusal):
        raise refused(found)
    return RequestContext(gateway, found)


# The parameter of a route that calls no model, e.g. one that shows what is left of a budget.
Identified = Annotated[RequestContext, Depends(identify_request)]
# The parameter of a route that calls models: `async def route(visit: Admitted, …)`.
Admitted = Annotated[RequestContext, Depends(admit_request)]
