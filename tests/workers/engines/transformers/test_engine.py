"""The transformers engine on a tiny Llama of random weights, made here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.engines import EmbeddingEngine, StreamingEngine
from quackllm.workers.engines.transformers.engine import TransformersEngine
from quackllm.workers.engines.transformers.settings import TransformersSettings
from quackllm.workers.errors import DeployError, MissingExtraError, ProviderError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.options import Options

import quackllm

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

Run = Callable[..., Any]
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'assistant' and loop.first %}{{ raise_exception('no user turn') }}"
    "{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEXT = "the duck swims on the pond and asks the model what a quack is; <user> <system> <assistant> stop end"
PROMPTS = ["a duck", "the pond and the model", "what is a quack, asks the duck on the pond", "x", "stop the end"]
TURNS = (Message("user", "a duck"), Message("assistant", "yes"), Message("user", "?"))
CONTEXT = 96


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "</s>", "<pad>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([TEXT] * 20, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=TEMPLATE
    )
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.6,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = transformers.LlamaForCausalLM(config)
    path = tmp_path_factory.mktemp("model") / "tiny"
    model.save_pretrained(path)
    fast.save_pretrained(path)
    return path


@pytest.fixture
def make_engine() -> Callable[..., TransformersEngine]:
    def make(path: str, **settings: Any) -> TransformersEngine:
        return TransformersEngine(TransformersSettings(model_path=path, **{"device": "cpu", **settings}))

    return make


def request(text: str, **options: Any) -> Request:
    return Request(Request.of(text).messages, Options(**{"max_tokens": 12, **options}))


@pytest.fixture
def answers(run: Run) -> Run:
    """Give what answers requests at once."""

    def answers(path: Path, requests: list[Request], **settings: Any) -> list[Response]:
        async def work(engine: TransformersEngine) -> list[Response]:
            return await asyncio.gather(*map(engine.answer, requests))

        return run(path, work, **settings)

    return answers


def greedy_tokens(path: Path, prompt: str, count: int) -> list[int]:
    """Return the tokens that the library itself writes after a prompt."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    ids = tokenizer(f"<user>{prompt}<assistant>", return_tensors="pt")
    model = transformers.AutoModelForCausalLM.from_pretrained(path)
    written = model.generate(**ids, max_new_tokens=count, do_sample=False)[0, ids["input_ids"].shape[1] :]
    return [int(token) for token in written]


def test_a_batch_answers_as_each_alone_and_as_the_library_does(model_path: Path, answers: Run) -> None:
    asked = [request(prompt, max_tokens=count) for prompt, count in zip(PROMPTS, (12, 3, 8, 1, 20), strict=True)]
    together = answers(model_path, asked)
    assert together == [answers(model_path, [alone])[0] for alone in asked]

    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path)
    for prompt, count, response in zip(PROMPTS, (12, 3, 8, 1, 20), together, strict=True):
        tokens = greedy_tokens(model_path, prompt, count)
        assert response.output == tokenizer.decode(tokens, skip_special_tokens=True)
        assert response.usage.input_tokens == len(tokenizer(f"<user>{prompt}<assistant>")["input_ids"])
        assert response.usage.output_tokens == count
        assert (response.finish_reason, response.error.code) == ("length", "length")


def test_requests_that_arrive_together_share_a_batch(
    model_path: Path, monkeypatch: pytest.MonkeyPatch, answers: Run
) -> None:
    sizes = sizes_of_batches(monkeypatch)
    mixed = [request(f"duck {number}", temperature=number % 2) for number in range(12)]
    answers(model_path, mixed, max_batch_size=4)
    assert sum(sizes) == 12
    assert max(sizes) == 4
    assert len(sizes) == 4, "greedy and sampled rows: two batches each, of six rows in fours"


def sizes_of_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sizes: list[int] = []
    generate = transformers.LlamaForCausalLM.generate

    def counting(self: Any, *args: Any, **more: Any) -> Any:
        sizes.append(len(more["input_ids"]))
        return generate(self, *args, **more)

    monkeypatch.setattr(transformers.LlamaForCausalLM, "generate", counting)
    return sizes


def test_each_row_ends_at_its_own_end_token(model_path: Path, tmp_path: Path, answers: Run) -> None:
    free = answers(model_path, [request(prompt, max_tokens=20) for prompt in PROMPTS])
    tokens = [greedy_tokens(model_path, prompt, 20) for prompt in PROMPTS]
    end = tokens[0][5]
    other = copied(model_path, tmp_path, lambda model, _: setattr(model.generation_config, "eos_token_id", [1, end]))
    responses = answers(other, [request(prompt, max_tokens=20) for prompt in PROMPTS])
    for written, before, after in zip(tokens, free, responses, strict=True):
        if end in written:
            assert (after.finish_reason, after.error) == ("stop", None)
            assert after.usage.output_tokens == written.index(end)
            assert (before.output or "").startswith(after.output or "")
        else:
            assert after == before


def copied(model_path: Path, tmp_path: Path, change: Callable[[Any, Any], None]) -> Path:
    """Return a copy of the model with something changed."""
    model = transformers.AutoModelForCausalLM.from_pretrained(model_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path)
    change(model, tokenizer)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_a_stop_text_ends_its_row_alone(model_path: Path, answers: Run) -> None:
    free = answers(model_path, [request(prompt, max_tokens=20) for prompt in PROMPTS])
    whole = free[0].output or ""
    stop = whole[6:9]
    responses = answers(
        model_path,
        [request(PROMPTS[0], max_tokens=20, stop=(stop, "never said"))]
        + [request(prompt, max_tokens=20) for prompt in PROMPTS[1:]],
    )
    assert responses[0].output == whole[: whole.index(stop)]
    assert (responses[0].finish_reason, responses[0].error) == ("stop", None)
    assert responses[1:] == free[1:]


def test_a_seed_repeats_a_draw_in_any_company(model_path: Path, answers: Run) -> None:
    seeded = request("a duck", temperature=1.0, seed=7)
    alone = answers(model_path, [seeded])[0]
    company = answers(model_path, [request("the pond", temperature=1.0), seeded, request("x", temperature=1.0)])
    assert company[1].output == alone.output
    other = answers(model_path, [request("a duck", temperature=1.0, seed=8)])[0]
    assert other.output != alone.output
    first, second = (answers(model_path, [request("a duck", temperature=1.0)])[0].output for _ in range(2))
    assert first != second


def test_the_chat_template_is_used(model_path: Path, answers: Run) -> None:
    turns = (Message("system", "be brief"), *TURNS)
    response = answers(model_path, [Request(turns, Options(max_tokens=4))])[0]
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path)
    text = "<system>be brief<user>a duck<assistant>yes<user>?<assistant>"
    assert response.usage.input_tokens == len(tokenizer(text)["input_ids"])


def test_without_a_template_one_turn_is_the_prompt(model_path: Path, tmp_path: Path, answers: Run) -> None:
    plain = copied(model_path, tmp_path, lambda _, tokenizer: setattr(tokenizer, "chat_template", None))
    (plain / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(plain)
    assert tokenizer.chat_template is None
    one, several = answers(plain, [request("a duck"), Request(TURNS, Options(max_tokens=4))])
    assert one.usage.input_tokens == len(tokenizer("a duck")["input_ids"])
    assert several.usage.input_tokens == len(
        tokenizer("user: a duck\nassistant: yes\nuser: ?\nassistant:")["input_ids"]
    )


def test_thinking_is_kept_apart(model_path: Path, monkeypatch: pytest.MonkeyPatch, answers: Run) -> None:
    written = "<think>\nsix times seven\n</think>\n\n42"
    monkeypatch.setattr(transformers.PreTrainedTokenizerFast, "decode", lambda self, ids, **_: written)
    response = answers(model_path, [request("a duck")])[0]
    assert (response.output, response.reasoning) == ("42", "six times seven")


def test_one_bad_row_does_not_hold_the_others(model_path: Path, run: Run) -> None:
    async def work(engine: TransformersEngine) -> list[Any]:
        long = request("duck " * CONTEXT)
        silent = Request((Message("assistant", "hm"),), Options(max_tokens=4))
        rows = [request("a duck"), long, silent, request("the pond"), image]
        return await asyncio.gather(*(engine.answer(row) for row in rows), return_exceptions=True)

    image = Request((Message("user", "?", ("https://example.org/a.png",)),), Options(max_tokens=4))
    good, long, silent, also_good, seen = run(model_path, work)
    assert good.output
    assert also_good.output
    assert (long.code, long.retryable) == ("context_length_exceeded", False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path)
    count = len(tokenizer(f"<user>{'duck ' * CONTEXT}<assistant>")["input_ids"])
    assert long.message == f"the prompt has {count} tokens, and the model's context holds {CONTEXT}"
    assert (silent.code, silent.retryable) == ("chat_template", False)
    assert "no user turn" in silent.message
    assert seen.code == "unsupported_option"


def test_an_answer_ends_with_the_context(model_path: Path, answers: Run) -> None:
    response = answers(model_path, [request("a duck", max_tokens=1000)])[0]
    assert response.usage.input_tokens + response.usage.output_tokens == CONTEXT
    assert response.finish_reason == "length"
    shorter = answers(model_path, [request("a duck", max_tokens=1000)], max_model_len=40)[0]
    assert shorter.usage.input_tokens + shorter.usage.output_tokens == 40


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"response_format": {"type": "object"}}, "unsupported_option"),
        ({"presence_penalty": 1.0}, "unsupported_option"),
        ({"extra": {"num_beams": 2}}, "unsupported_option"),
        ({"extra": {"no_such_option": 2}}, "invalid_option"),
    ],
)
def test_an_option_that_it_does_not_have(model_path: Path, options: dict[str, Any], code: str, answers: Run) -> None:
    with pytest.raises(ProviderError) as caught:
        answers(model_path, [request("a duck", **options)])
    assert (caught.value.code, caught.value.retryable) == (code, False)


def test_an_extra_option_reaches_the_model(model_path: Path, answers: Run) -> None:
    plain, changed = answers(model_path, [request("a duck"), request("a duck", extra={"repetition_penalty": 5.0})])
    assert plain.output != changed.output


def test_the_models_own_sampling_does_not_disturb_greedy(model_path: Path, tmp_path: Path, answers: Run) -> None:
    def warm(model: Any, _: Any) -> None:
        model.generation_config.update(do_sample=True, temperature=0.7, top_p=0.8, top_k=20)

    warmer = copied(model_path, tmp_path, warm)
    assert answers(warmer, [request("a duck")]) == answers(model_path, [request("a duck")])


@pytest.mark.parametrize("stop", [(), ("never said",)])
def test_a_stream_is_the_answer_in_pieces(model_path: Path, stop: tuple[str, ...], run: Run) -> None:
    async def work(engine: TransformersEngine) -> tuple[list[Any], Response]:
        beside = asyncio.create_task(engine.answer(request(PROMPTS[1], stop=stop)))
        pieces = [piece async for piece in engine.stream(request(PROMPTS[0], stop=stop))]
        await beside
        return pieces, await engine.answer(request(PROMPTS[0], stop=stop))

    (*pieces, response), whole = run(model_path, work)
    assert len(pieces) > 1
    assert "".join(pieces) == response.output == whole.output
    assert response == whole


def test_a_stream_never_shows_its_stop_text(model_path: Path, run: Run, answers: Run) -> None:
    whole = answers(model_path, [request("a duck", max_tokens=20)])[0].output or ""
    stop = whole[6:10]

    async def work(engine: TransformersEngine) -> list[Any]:
        return [piece async for piece in engine.stream(request("a duck", max_tokens=20, stop=(stop,)))]

    *pieces, response = run(model_path, work)
    assert "".join(pieces) == response.output == whole[: whole.index(stop)]


def test_nobody_waits_for_a_cancelled_row(model_path: Path, run: Run) -> None:
    async def work(engine: TransformersEngine) -> Response:
        left = asyncio.create_task(engine.answer(request("a duck", max_tokens=80)))
        await asyncio.sleep(0.02)
        left.cancel()
        return await engine.answer(request("the pond"))

    assert run(model_path, work).output


def test_closing_ends_what_is_under_way(model_path: Path, run: Run) -> None:
    async def work(engine: TransformersEngine) -> list[Any]:
        asked = [request("a duck", max_tokens=80), request("the pond", temperature=1.0, max_tokens=80)]
        left = [asyncio.create_task(engine.answer(one)) for one in asked]
        await asyncio.sleep(0.03)
        await engine.close()
        return await asyncio.gather(*left, return_exceptions=True)

    assert [(error.code, error.retryable) for error in run(model_path, work)] == [("closed", True)] * 2


def test_no_memory_for_a_batch(model_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    generate = transformers.LlamaForCausalLM.generate

    def hungry(self: Any, *args: Any, **more: Any) -> Any:
        if len(more["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(self, *args, **more)

    monkeypatch.setattr(transformers.LlamaForCausalLM, "generate", hungry)

    async def work(engine: TransformersEngine) -> tuple[list[Any], list[Any]]:
        rows = [request(prompt) for prompt in PROMPTS[:4]]
        first = await asyncio.gather(*(engine.answer(row) for row in rows), return_exceptions=True)
        return first, await asyncio.gather(*(engine.answer(row) for row in rows), return_exceptions=True)

    first, second = run(model_path, work)
    assert {(error.code, error.retryable) for error in first} == {("out_of_memory", True)}
    assert all(isinstance(response, Response) for response in second)


def test_a_programmers_error_is_not_relabelled(model_path: Path, monkeypatch: pytest.MonkeyPatch, answers: Run) -> None:
    def broken(self: Any, *args: Any, **more: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(transformers.LlamaForCausalLM, "generate", broken)
    with pytest.raises(ZeroDivisionError):
        answers(model_path, [request("a duck")])


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_quantized_weights(model_path: Path, bits: str, run: Run) -> None:
    pytest.importorskip("bitsandbytes")

    async def work(engine: TransformersEngine) -> tuple[Response, set[str]]:
        kinds = {type(module).__name__ for module in engine._batches.model.modules()}
        return await engine.answer(request("a duck", max_tokens=4)), kinds

    response, kinds = run(model_path, work, quantization=bits)
    assert response.usage.output_tokens == 4
    assert {"8bit": "Linear8bitLt", "4bit": "Linear4bit"}[bits] in kinds


def test_vectors(model_path: Path, run: Run) -> None:
    async def work(engine: TransformersEngine) -> tuple[list[list[float]], list[float]]:
        return await engine.embed(["a duck", "the pond and the model"]), (await engine.embed(["a duck"]))[0]

    together, alone = run(model_path, work)
    assert [len(vector) for vector in together] == [64, 64]
    assert together[0] == pytest.approx(alone, abs=1e-5)
    assert together[1] != pytest.approx(alone, abs=1e-2)
    with pytest.raises(ProviderError, match="tokens"):
        run(model_path, lambda engine: engine.embed(["duck " * 200]))


def test_a_folder_that_is_not_there(tmp_path: Path, run: Run) -> None:
    with pytest.raises(DeployError, match="no-model"):
        run(tmp_path / "no-model", lambda engine: engine.answer(request("a duck")))


def test_a_missing_package_names_the_extra(model_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError) as caught:
        run(model_path, lambda engine: engine.answer(request("a duck")))
    assert caught.value.hint == 'pip install "quackllm[local]"'


def test_the_protocols(model_path: Path) -> None:
    engine = TransformersEngine(TransformersSettings(model_path=str(model_path)))
    assert isinstance(engine, StreamingEngine)
    assert isinstance(engine, EmbeddingEngine)


def test_a_model_of_ones_own_answers_in_sql(model_path: Path):
    quackllm.deploy("own_chat", "custom/auto", infer_params={"model_path": str(model_path), "backend.max_tokens": 8})
    asked = "SELECT own_chat(p) AS r FROM (SELECT unnest(?::VARCHAR[]) AS p)"
    with pytest.warns(UserWarning, match="context_length_exceeded"):
        answers = quackllm.connect().execute(asked, [[*PROMPTS, "duck " * 200]]).fetchall()
    codes = {answer["error"] and answer["error"]["code"] for (answer,) in answers}
    assert "context_length_exceeded" in codes <= {None, "length", "context_length_exceeded"}
