"""The vLLM engine on a tiny Llama that was trained on a few answers: `make test-vllm`, in an environment of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace
from quackllm.workers import event_loop
from quackllm.workers.engines.transformers.engine import TransformersEngine
from quackllm.workers.engines.transformers.settings import TransformersSettings
from quackllm.workers.engines.vllm.engine import VllmEngine
from quackllm.workers.engines.vllm.settings import VllmSettings
from quackllm.workers.errors import DeployError, ProviderError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.options import Options

from support.tiny_models import CONTEXT, TALKS

if find_spec("vllm") is None:
    pytest.skip("vLLM is not installed: make test-vllm", allow_module_level=True)
DUCK, POND = "What swims on the pond?", "池塘里有什么？"
TURNS = (Message("system", "be brief"), Message("user", DUCK), Message("assistant", "A duck."), Message("user", "?"))
SMALL = {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 64 * 2**20}


def request(text: str, **options: Any) -> Request:
    return Request(Request.of(text).messages, Options(**{"max_tokens": 40, **options}))


def started(path: Path, **settings: Any) -> VllmEngine:
    engine = VllmEngine(VllmSettings(model_path=str(path), **SMALL, **settings))
    event_loop.run_sync(engine.start())
    return engine


def gathered(engine: Any, requests: list[Request]) -> list[Any]:
    async def work() -> list[Any]:
        return await asyncio.gather(*map(engine.answer, requests), return_exceptions=True)

    return event_loop.run_sync(work())


def answer(engine: VllmEngine, text: str, **options: Any) -> Response:
    return event_loop.run_sync(engine.answer(request(text, **options)))


def refusal(engine: VllmEngine, asked: Request) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        event_loop.run_sync(engine.answer(asked))
    return caught.value


@pytest.fixture(scope="module")
def adapters(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two adapters of random weights, of different ranks."""
    peft, torch, transformers = (pytest.importorskip(name) for name in ("peft", "torch", "transformers"))
    folder = tmp_path_factory.mktemp("adapters")
    for name, rank in {"one": 4, "two": 24}.items():
        model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
        torch.manual_seed(rank)
        wide = {"lora_alpha": rank * 8, "target_modules": ["q_proj", "v_proj", "o_proj"], "init_lora_weights": False}
        config = peft.LoraConfig(r=rank, **wide)
        peft.get_peft_model(model, config).save_pretrained(folder / name)
    return {name: str(folder / name) for name in ("one", "two")}


@pytest.fixture(scope="module")
def vllm(tiny_llama: Path, adapters: dict[str, str]) -> Iterator[VllmEngine]:
    compact = {"backend": "xgrammar", "disable_any_whitespace": True}
    engine = started(tiny_llama, lora_adapters=adapters, structured_outputs_config=compact)
    yield engine
    event_loop.run_sync(engine.close())


def by_transformers(path: Path | str, requests: list[Request]) -> list[Any]:
    engine = TransformersEngine(TransformersSettings(model_path=str(path), device="cpu"))
    event_loop.run_sync(engine.start())
    try:
        return gathered(engine, requests)
    finally:
        event_loop.run_sync(engine.close())


def test_greedy_is_what_transformers_says(vllm: VllmEngine, tiny_llama: Path) -> None:
    asked = [request(text) for text in [*TALKS, "a duck", "a pond and two ducks", "how old is the singer"]]
    asked += [Request(TURNS, Options(max_tokens=20)), request(DUCK, max_tokens=3), request(DUCK, stop=("pond",))]
    ours, theirs = gathered(vllm, asked), by_transformers(tiny_llama, asked)
    assert [(one.output, one.finish_reason, one.error) for one in ours] == [
        (one.output, one.finish_reason, one.error) for one in theirs
    ]
    assert [one.output for one in ours[: len(TALKS)]] == list(TALKS.values())
    assert [one.usage.input_tokens for one in ours] == [one.usage.input_tokens for one in theirs]
    assert [one.usage.output_tokens for one in ours][-2] == 3


def test_prompts_that_begin_alike_are_read_once(vllm: VllmEngine) -> None:
    assert vllm._llm.vllm_config.cache_config.enable_prefix_caching


@pytest.mark.parametrize(
    ("form", "fits"),
    [
        ({"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}, '{"a": 1}'),
        ({"type": "json_object"}, "{}"),
        ({"choice": ["yes", "no"]}, "yes"),
        ({"regex": "[0-9]{3}"}, "123"),
        ({"grammar": 'root ::= "SELECT " ("a" | "b")'}, "SELECT a"),
    ],
    ids=["schema", "object", "choice", "regex", "grammar"],
)
def test_an_answer_keeps_to_its_structure(vllm: VllmEngine, form: dict[str, Any], fits: str) -> None:
    output = answer(vllm, DUCK, response_format=form, max_tokens=60).output or ""
    if fits.startswith("{"):
        assert isinstance(json.loads(output), dict)
    else:
        assert output in {"yes", "no", "SELECT a", "SELECT b"} or (output.isdigit() and len(output) == 3)


def test_a_choice_comes_with_its_probabilities(vllm: VllmEngine) -> None:
    (chosen,) = gathered(vllm, [replace(request(DUCK, response_format={"choice": ["yes", "no"]}), top_logprobs=5)])
    assert chosen.output in ("yes", "no")
    assert all(5 <= len(place) <= 6 and place[0][1] <= 0 for place in chosen.logprobs)
    assert chosen.output.startswith(chosen.logprobs[0][0][0])


def test_a_grammar_that_cannot_be_read_is_its_rows_error(vllm: VllmEngine) -> None:
    bad = request(DUCK, response_format={"grammar": "root ::= ("})
    one, other = gathered(vllm, [bad, request(DUCK)])
    assert (one.code, one.retryable) == ("invalid_request", False)
    assert "grammar" in one.message
    assert other.output == TALKS[DUCK]


def test_a_seed_repeats_vllms_draw(vllm: VllmEngine) -> None:
    draws = [answer(vllm, "x", temperature=2.0, seed=seed, max_tokens=12).output for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_extra_parameters_reach_vllm(vllm: VllmEngine) -> None:
    longer = answer(vllm, DUCK, max_tokens=30, extra={"ignore_eos": True})
    assert (longer.usage.output_tokens, longer.finish_reason) == (30, "length")
    biased = answer(vllm, DUCK, max_tokens=2, extra={"logit_bias": {"5": 100}})
    assert biased.output != answer(vllm, DUCK, max_tokens=2).output


def test_vllm_streams_the_answer_in_pieces(vllm: VllmEngine) -> None:
    async def collected(asked: Request) -> list[Any]:
        return [piece async for piece in vllm.stream(asked)]

    for asked in (request(DUCK), request(POND, stop=("鸭",)), request(DUCK, max_tokens=4)):
        *pieces, whole = event_loop.run_sync(collected(asked))
        assert len(pieces) > (0 if asked.options.stop else 1)
        assert "".join(pieces) == whole.output
        assert whole == event_loop.run_sync(vllm.answer(asked))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_caller_that_leaves_ends_the_work(vllm: VllmEngine, streamed: bool) -> None:
    endless = request(DUCK, max_tokens=400, extra={"ignore_eos": True})

    async def first_piece() -> None:
        async with aclosing(vllm.stream(endless)) as pieces:
            async for _ in pieces:
                return

    async def work() -> int:
        if streamed:
            await first_piece()
        else:
            task = asyncio.create_task(vllm.answer(endless))
            await asyncio.sleep(0.1)
            assert vllm._llm.get_num_unfinished_requests() == 1
            task.cancel()
            await asyncio.wait([task])
        return vllm._llm.get_num_unfinished_requests()

    assert event_loop.run_sync(work()) == 0
    assert answer(vllm, DUCK).output == TALKS[DUCK]


def test_a_bad_row_holds_no_other(vllm: VllmEngine) -> None:
    image = Request((Message("user", "?", ("https://example.org/a.png",)),), Options(max_tokens=4))
    rows = [request(DUCK), request("duck " * CONTEXT), image, request(DUCK, extra={"lora": "three"})]
    good, long, seen, unknown = gathered(vllm, rows)
    assert good.output == TALKS[DUCK]
    assert (long.code, long.retryable) == ("context_length_exceeded", False)
    assert f"context holds {CONTEXT}" in long.message
    assert seen.code == "unsupported_option"
    assert unknown.code == "unknown_adapter"
    assert "'one', 'two'" in unknown.message or "one, two" in unknown.message


def test_the_longest_answer_ends_with_the_context(vllm: VllmEngine) -> None:
    response = answer(vllm, DUCK, max_tokens=10_000, extra={"ignore_eos": True})
    assert response.usage.input_tokens + response.usage.output_tokens == CONTEXT
    assert response.finish_reason == "length"


def same(got: str, expected: str) -> bool:
    """Whether two texts are the same; vLLM withholds a last token that ends within a character."""
    return got == expected or (expected.endswith("\ufffd") and expected.startswith(got))


def test_adapters_by_name_in_one_batch(
    vllm: VllmEngine, tiny_llama: Path, adapters: dict[str, str], tmp_path: Path
) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    expected: dict[str | None, list[Any]] = {}
    asked = [request(text, max_tokens=8) for text in TALKS]
    for name, path in {None: None, **adapters}.items():
        model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
        merged = peft.PeftModel.from_pretrained(model, path).merge_and_unload() if path else model
        merged.save_pretrained(tmp_path / str(name))
        transformers.AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path / str(name))
        expected[name] = [one.output for one in by_transformers(tmp_path / str(name), asked)]
    names = [name for _ in asked for name in (None, "one", "two")]
    mixed = [
        request(text, max_tokens=8, **({"extra": {"lora": name}} if name else {}))
        for text in TALKS
        for name in (None, "one", "two")
    ]
    for _ in range(3):
        got = [one.output for one in gathered(vllm, mixed)]
        for name in (None, "one", "two"):
            outputs = [output for output, asked_for in zip(got, names, strict=True) if asked_for == name]
            assert all(map(same, outputs, expected[name])), (name, outputs, expected[name])
    for outputs in zip(*expected.values(), strict=True):
        assert len(set(outputs)) == 3, "the adapters change no answer"


def test_a_model_that_writes_makes_no_vectors(vllm: VllmEngine) -> None:
    with pytest.raises(ProviderError) as caught:
        event_loop.run_sync(vllm.embed(["a duck"]))
    assert caught.value.setup
    assert caught.value.hint == "deploy it with: -p backend.runner=pooling"


def test_a_process_of_vllms_that_dies_is_followed_by_another(vllm: VllmEngine) -> None:
    async def work() -> Any:
        task = asyncio.create_task(vllm.answer(request(DUCK, max_tokens=400, extra={"ignore_eos": True})))
        await asyncio.sleep(0.1)
        for child in psutil.Process().children(recursive=True):
            if child.name().startswith("VLLM"):
                os.kill(child.pid, signal.SIGKILL)
        return (await asyncio.gather(task, return_exceptions=True))[0]

    lost = event_loop.run_sync(work())
    assert (lost.code, lost.retryable) == ("process_ended", True)
    assert answer(vllm, DUCK).output == TALKS[DUCK]


def test_a_closed_model_says_so_and_leaves_nothing(vllm: VllmEngine) -> None:
    async def work() -> Any:
        task = asyncio.create_task(vllm.answer(request(DUCK, max_tokens=400, extra={"ignore_eos": True})))
        await asyncio.sleep(0.1)
        await vllm.close()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    assert event_loop.run_sync(work()).code == "closed"
    assert refusal(vllm, request(DUCK)).code == "closed"
    left = [child for child in psutil.Process().children(recursive=True) if child.name().startswith("VLLM")]
    assert {child.status() for child in left} <= {psutil.STATUS_ZOMBIE}


def test_vectors_from_vllm(tiny_llama: Path) -> None:
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    pooled = {"pooling_type": "MEAN", "use_activation": False}
    engine = started(tiny_llama, runner="pooling", pooler_config=pooled)
    try:
        texts = ["a duck", "the pond and two ducks", ""]
        vectors = event_loop.run_sync(engine.embed(texts[:2]))
        with pytest.raises(ProviderError, match="context holds"):
            event_loop.run_sync(engine.embed(["duck " * CONTEXT]))
        assert refusal(engine, request(DUCK)).setup
    finally:
        event_loop.run_sync(engine.close())
    model = transformers.AutoModel.from_pretrained(tiny_llama)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    for text, vector in zip(texts, vectors, strict=False):
        with torch.inference_mode():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        assert vector == pytest.approx(mean.tolist(), abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_modellen": 64}, r"vLLM has no argument max_modellen\ndid you mean 'max_model_len'"),
        ({"quantization": "gguff"}, "gguff"),
        ({"max_model_len": 1_000_000}, "max_model_len"),
    ],
)
def test_what_vllm_refuses_is_said_in_its_words(tiny_llama: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DeployError, match=words):
        started(tiny_llama, **settings)


def test_what_fails_in_vllms_process_is_said_in_its_words(tiny_llama: Path) -> None:
    with pytest.raises(DeployError, match="memory for the cache blocks"):
        started(tiny_llama, num_gpu_blocks_override=1)


SCRIPT = """
import sys
import quackllm

path, cluster = sys.argv[1], sys.argv[2] or None
params = {"backend": "vllm", "model_path": path, "backend.dtype": "float32", "backend.enforce_eager": True,
          "backend.kv_cache_memory_bytes": 64 * 2**20}
quackllm.deploy("own_chat", "custom/auto", infer_params=params, cluster=cluster)
connection = quackllm.connect(cluster=cluster)
asked = "SELECT llm_result(own_chat(p)) FROM (SELECT unnest($1::VARCHAR[]) AS p)"
print(connection.execute(asked, [sys.argv[3:]]).fetchall())
"""


@pytest.mark.parametrize("cluster", ["", "local"], ids=["in process", "through a Ray actor"])
def test_vllm_answers_in_sql(tiny_llama: Path, tmp_path: Path, cluster: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, script, tiny_llama, cluster, *TALKS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] == str([(answer,) for answer in TALKS.values()])
