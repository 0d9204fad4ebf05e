"""What the DashScope engine does beside the contract of `test_provider_replies.py`."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from dashscope import AioGeneration
from quackllm.workers.engines.dashscope import DashscopeEngine, DashscopeSettings
from quackllm.workers.errors import ProviderError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.options import Options

from standin.fixtures import KEY, StandIn

HELLO = Request.of("hello")


def answer(service: StandIn, request: Request = HELLO, **settings: Any) -> Response:
    async def main() -> Response:
        given = {"model": "standin", "base_url": service.dashscope_url, "api_key": KEY, **settings}
        engine = DashscopeEngine(DashscopeSettings(**given))
        await engine.start()
        try:
            return await engine.answer(request)
        finally:
            await engine.close()

    return asyncio.run(main())


def test_the_body_is_the_one_of_the_vendors_own_call(service: StandIn) -> None:
    async def vendor() -> None:
        async with aiohttp.ClientSession() as session:
            await AioGeneration.call(
                "standin",
                messages=[{"role": "user", "content": "hello"}],
                api_key=KEY,
                base_address=service.dashscope_url,
                session=session,
                temperature=0.0,
                max_tokens=9,
                result_format="message",
            )

    asyncio.run(vendor())
    answer(service, Request(HELLO.messages, Options(max_tokens=9)))
    theirs, ours = service.requests()
    assert ours["path"] == theirs["path"]
    assert ours["body"] == theirs["body"]
    assert ours["headers"]["Authorization"] == theirs["headers"]["Authorization"]


def test_the_workspace_is_sent(service: StandIn) -> None:
    answer(service, workspace="ws-1")
    assert service.requests()[0]["headers"]["X-DashScope-WorkSpace"] == "ws-1"


@pytest.mark.parametrize(
    ("model", "multimodal", "images", "path"),
    [
        ("qwen-plus", None, (), "text-generation"),
        ("qwen-plus", None, ("https://example.org/a.png",), "multimodal-generation"),
        ("qwen3-vl-plus", None, (), "multimodal-generation"),
        ("some-model", True, (), "multimodal-generation"),
        ("qwen-vl-plus", False, (), "text-generation"),
    ],
)
def test_the_address_of_a_model(
    service: StandIn, model: str, multimodal: bool | None, images: tuple[str, ...], path: str
) -> None:
    request = Request((Message("system", "be brief"), Message("user", "what is it?", images)))
    assert answer(service, request, model=model, multimodal=multimodal).output == "answer to: what is it?"
    assert f"/{path}/" in service.requests()[0]["path"]


def test_a_local_file_is_never_opened(service: StandIn) -> None:
    request = Request((Message("user", "what is it?", ("file:///etc/hostname",)),))
    answer(service, request)
    assert service.count() == 1, "the client uploaded the file first"
    assert "file:///etc/hostname" in str(service.requests()[0]["body"])


@pytest.mark.parametrize(("fault", "retryable"), [("rate_limit", True), ("context", False)])
def test_a_refusal_with_status_200_keeps_its_words(service: StandIn, fault: str, retryable: bool) -> None:
    service.script([{"fault": fault, "status": 200, "message": "its own words"}])
    with pytest.raises(ProviderError) as caught:
        answer(service)
    assert (caught.value.message, caught.value.retryable) == ("its own words", retryable)
    assert caught.value.code in ("Throttling.RateQuota", "InvalidParameter")
