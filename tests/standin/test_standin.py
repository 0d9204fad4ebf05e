"""The stand-in itself: what it answers, and that its process ends."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from standin.fixtures import StandIn, running_service


def ask(service: StandIn, *turns: str) -> str:
    messages = [{"role": "user", "content": turn} for turn in turns]
    body = json.dumps({"model": "standin", "messages": messages}).encode()
    request = urllib.request.Request(f"{service.openai_url}/chat/completions", body)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.loads(reply.read())["choices"][0]["message"]["content"]


def test_it_repeats_the_question(service: StandIn) -> None:
    assert ask(service, "hello") == "answer to: hello"
    assert service.prompts() == ["hello"]
    assert service.count() == 1


@pytest.mark.parametrize(
    ("told", "asked", "answer"),
    [
        ("你好，请记住我的名字，我叫祝威廉。如果记住了，请说记住。", "请问我叫什么名字？", "你是祝威廉。"),
        ("我是威廉，请记住我是谁。", "请问我是谁？", "你是威廉。"),
        ("Hello, my name is Ada.", "What is my name?", "Your name is Ada."),
        ("Hello.", "Who am I?", "I do not know your name."),
    ],
)
def test_it_remembers_a_name(service: StandIn, told: str, asked: str, answer: str) -> None:
    assert ask(service, told, asked) == answer


def test_a_script_is_used_up(service: StandIn) -> None:
    service.script(
        [{"fault": "rate_limit", "times": 1, "retry_after": 3}, {"fault": "server_error", "marker": "poison"}]
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(service, "hello")
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (429, "3")
    caught.value.close()
    assert ask(service, "hello") == "answer to: hello"
    with pytest.raises(urllib.error.HTTPError, match="500") as caught:
        ask(service, "a poison row")
    caught.value.close()


def test_the_process_ends() -> None:
    with running_service("--api-key", "k") as service, pytest.raises(urllib.error.HTTPError, match="401") as caught:
        ask(service, "hello")
    caught.value.close()
    assert service.process.poll() is not None


def test_it_judges_by_the_question_and_its_subject(service: StandIn) -> None:
    plain = ask(service, "[True/False] Is it a port? ‹Basel›")
    assert plain in ("True", "False")
    assert ask(service, "Context: ‹Basel›\nClaim: [True/False] Is it a port? Answer in one word.") == plain
    assert len({ask(service, f"[True/False] Is it a port? ‹{number}›") for number in range(20)}) == 2
    assert int(ask(service, "[0-99] How big is it? ‹Basel›")) in range(100)
