"""The official openai client against a running gateway, over the built-in models and over a service."""

from __future__ import annotations

import openai
import pytest

import quackllm
from standin.fixtures import StandIn

HELLO = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(("model", "answer"), [("standin", "answer to: hello"), ("echo", "echo: hello")])
def test_a_chat_is_answered(client: openai.OpenAI, model: str, answer: str) -> None:
    reply = client.chat.completions.create(model=model, messages=HELLO)
    assert reply.choices[0].message.content == answer
    assert (reply.model, reply.object, reply.choices[0].finish_reason) == (model, "chat.completion", "stop")
    assert reply.usage
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 1


@pytest.mark.parametrize(("model", "answer"), [("standin", "answer to: hello"), ("echo", "echo: hello")])
def test_a_stream_is_the_same_answer_in_pieces(client: openai.OpenAI, model: str, answer: str) -> None:
    chunks = list(
        client.chat.completions.create(model=model, messages=HELLO, stream=True, stream_options={"include_usage": True})
    )
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == answer
    assert sum(map(bool, said)) == (3 if model == "standin" else 1), "the stand-in speaks in runs of six characters"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens > 0


def test_a_conversation_is_the_callers_to_keep(client: openai.OpenAI) -> None:
    messages: list[dict[str, object]] = [{"role": "user", "content": "My name is Ada."}]
    first = client.chat.completions.create(model="standin", messages=messages)
    messages += [first.choices[0].message.model_dump(), {"role": "user", "content": "What is my name?"}]
    second = client.chat.completions.create(model="standin", messages=messages)
    assert second.choices[0].message.content == "Your name is Ada."


def test_the_same_request_is_paid_once_and_a_fresh_one_is_asked_for(client: openai.OpenAI, service: StandIn) -> None:
    ways = [
        {},
        {},
        {"seed": 7},
        {"seed": 7},
        {"extra_body": {"draw": 1}},
        {"extra_headers": {"Cache-Control": "no-cache"}},
    ]
    calls = []
    for way in ways:
        raw = client.chat.completions.with_raw_response.create(model="standin", messages=HELLO, **way)
        calls.append(raw.headers["X-Quackllm-Calls"])
    assert calls == ["1", "0", "1", "0", "1", "1"]
    assert service.count() == 4
    assert quackllm.connect().execute("SELECT llm_result(standin('hello'))").fetchone() == ("answer to: hello",)
    assert service.count() == 4, "SQL and HTTP share one call store"


def test_tools_are_passed_through_and_called(client: openai.OpenAI, service: StandIn) -> None:
    weather = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    tools = [{"type": "function", "function": weather}]
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Basel"}'}}
    asked = {"fault": "reply", "text": "", "tool_calls": [call], "finish_reason": "tool_calls", "marker": "weather?"}
    service.script([asked])
    messages = [{"role": "user", "content": "What is the weather?"}]
    reply = client.chat.completions.create(model="standin", messages=messages, tools=tools, tool_choice="auto")
    choice = reply.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert choice.message.tool_calls
    assert choice.message.tool_calls[0].model_dump() == call
    sent = service.requests()[-1]["body"]
    assert (sent["tools"], sent["tool_choice"]) == (tools, "auto")

    told = {"role": "tool", "tool_call_id": "call_1", "content": "Sunny."}
    service.reset()
    last = client.chat.completions.create(
        model="standin", messages=[*messages, choice.message.model_dump(), told], tools=tools
    )
    assert last.choices[0].message.content == "answer to: Sunny."
    sent = service.requests()[-1]["body"]["messages"]
    assert (sent[1]["tool_calls"], sent[2]) == ([call], told)


def test_tool_calls_of_a_stream_arrive_whole(client: openai.OpenAI, service: StandIn) -> None:
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": f"f{n}", "arguments": f'{{"number": {n}}}'}}
        for n in range(2)
    ]
    service.script([{"fault": "reply", "text": "", "tool_calls": calls, "finish_reason": "tool_calls"}])
    with client.chat.completions.stream(
        model="standin", messages=HELLO, tools=[{"type": "function", "function": {"name": "f0", "parameters": {}}}]
    ) as stream:
        message = stream.get_final_completion().choices[0]
    assert message.finish_reason == "tool_calls"
    found = [(call.id, call.function.name, call.function.arguments) for call in message.message.tool_calls or ()]
    assert found == [("call_0", "f0", '{"number": 0}'), ("call_1", "f1", '{"number": 1}')]


def test_a_model_without_tools_says_so(client: openai.OpenAI) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    with pytest.raises(openai.BadRequestError, match=r"echo .* does not accept tools") as caught:
        client.chat.completions.create(model="echo", messages=HELLO, tools=tools)
    assert (caught.value.code, caught.value.param) == ("tools_not_supported", "tools")


def test_options_reach_the_service(client: openai.OpenAI, service: StandIn) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    given = {"temperature": 0.5, "top_p": 0.9, "seed": 3, "presence_penalty": 0.1, "frequency_penalty": 0.2}
    further = {"reasoning_effort": "low", "logit_bias": {"1": 2.0}, "response_format": schema}
    client.chat.completions.create(
        model="standin",
        messages=HELLO,
        max_completion_tokens=5,
        stop="x",
        user="u",
        extra_body={"extra": {"min_p": 0.1}},
        **given,
        **further,
    )
    sent = service.requests()[-1]["body"]
    expected = {**given, **further, "max_completion_tokens": 5, "stop": ["x"], "min_p": 0.1}
    assert {name: sent[name] for name in expected} == expected
    assert "user" not in sent


def test_images_and_the_parts_of_a_message_reach_the_service(client: openai.OpenAI, service: StandIn) -> None:
    url = "data:image/png;base64,AAAA"
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}]
    content = [*parts, {"type": "image_url", "image_url": {"url": url}}]
    client.chat.completions.create(
        model="standin", messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": content}]
    )
    system, user = service.requests()[-1]["body"]["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"] == [{"type": "text", "text": "What is\nthis?"}, content[-1]]


def test_several_answers_are_several_draws(client: openai.OpenAI, service: StandIn) -> None:
    reply = client.chat.completions.create(model="standin", messages=HELLO, n=3, temperature=1)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert service.count() == 3


def test_completions_whole_and_streamed(client: openai.OpenAI, service: StandIn) -> None:
    reply = client.completions.create(model="standin", prompt=["one", "two"], max_tokens=41)
    assert [choice.text for choice in reply.choices] == ["answer to: one", "answer to: two"]
    assert reply.object == "text_completion"
    chunks = list(client.completions.create(model="standin", prompt="three", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "answer to: three"
    assert chunks[-1].choices[0].finish_reason == "stop"
    with pytest.raises(openai.BadRequestError, match="one answer to one prompt"):
        client.completions.create(model="standin", prompt=["one", "two"], stream=True)


@pytest.mark.parametrize("model", ["standin", "echo"])
def test_embeddings_as_numbers_and_in_base64(client: openai.OpenAI, model: str) -> None:
    texts = ["one", "two", "one"]
    packed = client.embeddings.create(model=model, input=texts)  # The client asks for base64 by itself.
    plain = client.embeddings.create(model=model, input=texts, encoding_format="float")
    assert [item.index for item in plain.data] == [0, 1, 2]
    assert plain.data[0].embedding == plain.data[2].embedding != plain.data[1].embedding
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    with pytest.raises(openai.BadRequestError, match="8 dimensions"):
        client.embeddings.create(model=model, input="one", dimensions=3)


def test_models_are_listed_and_found_by_their_names(client: openai.OpenAI, service: StandIn) -> None:
    assert [model.id for model in client.models.list()] == ["builtin_encoder", "builtin_text2sql", "echo", "standin"]
    assert client.models.retrieve("standin").owned_by == "saas/openai"
    quackllm.deploy("codellama_7b_hf", "echo")
    assert client.models.retrieve("CodeLlama-7b-hf").id == "codellama_7b_hf"
