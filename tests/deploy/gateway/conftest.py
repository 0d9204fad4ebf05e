"""Fixtures: a gateway in this process, over the built-in models and the stand-in service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest

import quackllm
from standin.fixtures import StandIn
from support.gateway_in_process import OPENED

Serve = Callable[..., str]


@pytest.fixture(autouse=True)
def gateways_closed() -> Iterator[None]:
    """Let go of the files of each gateway that a test has asked in its own process."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve with these settings until the test ends; return the address."""
    from quackllm.deploy.gateway.serving.server import serving
    from quackllm.deploy.gateway.settings import GatewaySettings

    with ExitStack() as running:

        def begin(**settings: Any) -> str:
            return running.enter_context(serving(GatewaySettings(port=0, **settings)))[0]

        yield begin


@pytest.fixture
def gateway(serve: Serve, service: StandIn) -> str:
    """A gateway without keys; the model `standin` answers through the stand-in service."""
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params(**{"limits__max_attempts": 1}))
    return serve()


@pytest.fixture
def client(gateway: str) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, which tries nothing again."""
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key="none", max_retries=0) as client:
        yield client
