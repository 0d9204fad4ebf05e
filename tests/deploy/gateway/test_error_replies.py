"""What a client sees when something fails: each of OpenAI's error classes, with the provider's own code."""

from __future__ import annotations

from typing import Any

import openai
import pytest

import quackllm
from standin.fixtures import StandIn

HELLO = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("fault", "error", "status", "code"),
    [
        ("rate_limit", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("server_error", openai.InternalServerError, 502, "server_error"),
        ("overloaded", openai.InternalServerError, 502, "service_unavailable"),
        ("context", openai.BadRequestError, 400, "context_length_exceeded"),
        ("refused_content", openai.BadRequestError, 400, "content_filter"),
        ("bad_request", openai.BadRequestError, 400, "invalid_value"),
        ("wrong_key", openai.InternalServerError, 502, "invalid_api_key"),
        ("quota", openai.InternalServerError, 502, "insufficient_quota"),
        ("half_json", openai.InternalServerError, 502, "broken_reply"),
        ("drop", openai.InternalServerError, 502, "connection"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_refusal_keeps_its_code(
    client: openai.OpenAI,
    service: StandIn,
    fault: str,
    error: type[openai.APIStatusError],
    status: int,
    code: str,
    stream: bool,
) -> None:
    client.chat.completions.create(model="standin", messages=[{"role": "user", "content": "reach it once"}])
    service.script([{"fault": fault}])
    with pytest.raises(error) as caught:
        list(client.chat.completions.create(model="standin", messages=HELLO, stream=stream))
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert service.count() == 2
    retryable = fault in ("rate_limit", "server_error", "overloaded", "half_json", "drop")
    assert caught.value.response.headers["X-Should-Retry"] == str(retryable).lower()


def test_an_answer_that_is_cut_off_or_withheld_says_so(client: openai.OpenAI, service: StandIn) -> None:
    service.script([{"fault": "length", "times": 1}, {"fault": "filter", "times": 1}])
    cut = client.chat.completions.create(model="standin", messages=HELLO).choices[0]
    assert (cut.finish_reason, cut.message.content) == ("length", "answer to")
    assert client.chat.completions.create(model="standin", messages=HELLO).choices[0].finish_reason == "content_filter"
    whole = client.chat.completions.create(model="standin", messages=HELLO).choices[0]
    assert whole.finish_reason == "stop", "neither of them is kept"


def test_a_stream_that_breaks_off_ends_in_an_error(client: openai.OpenAI, service: StandIn) -> None:
    service.script([{"fault": "drop_midway", "times": 1}])
    chunks = client.chat.completions.create(model="standin", messages=HELLO, stream=True)
    said = [next(chunks).choices[0].delta.content for _ in range(2)]
    with pytest.raises(openai.APIError) as caught:
        next(chunks)
    assert (said, caught.value.code) == (["", "answer"], "connection")


def test_unknown_models_and_bad_bodies(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean 'standin'") as missing:
        client.chat.completions.create(model="stand_in", messages=HELLO)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError, match="did you mean 'temperature'"):
        client.chat.completions.create(model="standin", messages=HELLO, extra_body={"temprature": 1})
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="standin", messages=HELLO, temperature=7)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.BadRequestError, match="does not return embeddings"):
        client.embeddings.create(model="builtin_text2sql", input="x")
    with pytest.raises(openai.BadRequestError, match="the prompt is empty"):
        client.chat.completions.create(model="standin", messages=[{"role": "user", "content": ""}])


def test_a_service_that_takes_too_long_is_a_timeout(service: StandIn, serve: Any) -> None:
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "hang"}])
    with openai.OpenAI(base_url=f"{serve(request_seconds=0.3)}/v1", api_key="none", max_retries=0) as client:
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as caught:
                client.chat.completions.create(model="standin", messages=HELLO, stream=stream)
            assert (caught.value.status_code, caught.value.code) == (504, "timeout")
