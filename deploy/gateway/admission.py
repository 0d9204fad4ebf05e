"""Who may ask: a dependency of every route that asks a model, from the API key to what the request has cost."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from fastapi import Request as HttpRequest
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ...udf.calls.scope import CallScope
from ...udf.settings import StatementOptions, load_settings
from ...workers.deployments.spec import ModelSpec
from .auth.api_keys import digest_of
from .auth.usage_ledger import Cost, Pass, Refusal
from .errors import GatewayError
from .state import Gateway, gateway_of


@dataclass(eq=False)
class Visit:
    """One admitted request: what it may ask, and what it spends."""

    gateway: Gateway
    admitted: Pass | None
    """None: the gateway has no keys, and whoever reaches it may ask."""
    statements: list[CallScope] = field(default_factory=list)
    guessed_tokens: int = 0
    """Those of answers that were stopped, of which nobody says what they cost."""

    async def model(self, name: str) -> ModelSpec:
        """Return the model of that name.

        Raises:
            UnknownModelError: it is not deployed.
            GatewayError: the key may not ask it.
        """
        spec = await self.gateway.model(name)
        if not self.may_ask(spec.name):
            assert self.admitted
            message = f"the key {self.admitted.name} may not ask the model {spec.name}"
            raise GatewayError(403, message, code="model_not_allowed", param="model")
        return spec

    def may_ask(self, name: str) -> bool:
        """Whether the key's list of models has this one."""
        return self.admitted is None or self.admitted.key.models is None or name in self.admitted.key.models

    def statement(self) -> CallScope:
        """Return a statement to ask on behalf of, which may spend what is left of the key's budget."""
        statement = CallScope()
        statement.load_options = functools.partial(_wishes, self.admitted)
        self.statements.append(statement)
        return statement

    @property
    def cost(self) -> Cost:
        """What its statements have spent by now; what the call store knew costs nothing."""
        spent = [statement.usage for statement in self.statements]
        tokens = sum(each.input_tokens + each.output_tokens for each in spent)
        tokens += self.guessed_tokens
        return Cost(sum(each.asked for each in spent), tokens, sum(each.money or 0.0 for each in spent))


def _wishes(admitted: Pass | None) -> StatementOptions:
    """Return what the user's settings allow one statement, less where the key has less left."""
    own = load_settings()
    if admitted is None:
        return own
    key, spent = admitted.key, admitted.spent
    left = {
        "llm_max_calls": key.max_calls and key.max_calls - spent.calls,
        "llm_max_tokens": key.max_tokens and key.max_tokens - spent.tokens,
        "llm_max_money": key.max_money and key.max_money - spent.money,
    }
    given = own.model_dump()
    for name, most in left.items():
        if most is not None:
            given[name] = most if given[name] is None else min(most, given[name])
    return StatementOptions(**{name: given[name] for name in StatementOptions.model_fields})


BEARER = HTTPBearer(auto_error=False, description="made by `quackllm keys add`; none where the gateway has no keys")


async def visit(
    request: HttpRequest, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> AsyncIterator[Visit]:
    """Admit a request or refuse it, and charge its key for what it spent once the answer was sent.

    Raises:
        GatewayError: 401, or 429 with when to come back.
    """
    gateway = gateway_of(request)
    admitted = await gateway.ledger.admit(digest_of(shown.credentials.strip()) if shown else None)
    if isinstance(admitted, Refusal):
        raise GatewayError(
            admitted.status,
            admitted.message,
            code=admitted.code,
            retry_after_seconds=admitted.retry_after_seconds,
            retryable=admitted.retry_after_seconds is not None,
        )
    here = Visit(gateway, admitted)
    name = admitted.name if admitted else None
    gateway.enter(name, admitted.key.most_at_once if admitted else None)
    try:
        yield here
    finally:
        gateway.leave(name)
        if admitted:
            await gateway.ledger.charge(admitted.name, admitted.key, here.cost)


Admitted = Annotated[Visit, Depends(visit)]
"""The parameter of a route that asks models: `async def route(visit: Admitted, …)`."""
