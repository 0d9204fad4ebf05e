"""The llama.cpp engine on a tiny Llama in 8 bits that was trained on a few answers."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace
from quackllm.workers.engines import EmbeddingEngine, StreamingEngine
from quackllm.workers.engines.chat_template import prompt_tokens
from quackllm.workers.engines.llama_cpp.engine import LlamaCppEngine, LlamaCppSettings
from quackllm.workers.errors import DeployError, MissingExtraError, ProviderError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.options import Options

import quackllm
from support.tiny_models import TALKS

pytest.importorskip("xllamacpp")
Run = Callable[..., Any]
DUCK, POND = "What swims on the pond?", "池塘里有什么？"
TURNS = (Message("system", "be brief"), Message("user", DUCK), Message("assistant", "A duck."), Message("user", "?"))


@pytest.fixture
def make_engine() -> Callable[..., LlamaCppEngine]:
    def make(path: str, **settings: Any) -> LlamaCppEngine:
        return LlamaCppEngine(LlamaCppSettings(model_path=path, **{"n_ctx": 256, "n_threads": 1, **settings}))

    return make


def request(text: str, **options: Any) -> Request:
    return Request(Request.of(text).messages, Options(**{"max_tokens": 40, **options}))


@pytest.fixture
def answers(run: Run) -> Run:
    """Give what answers requests at once, each with a Response or an error."""

    def answers(path: Path, requests: list[Request], **settings: Any) -> list[Any]:
        async def work(engine: LlamaCppEngine) -> list[Any]:
            return await asyncio.gather(*map(engine.answer, requests), return_exceptions=True)

        return run(path, work, **settings)

    return answers


def test_a_gguf_answers_many_at_once(tiny_gguf: Path, answers: Run) -> None:
    responses = answers(tiny_gguf, [request(asked) for asked in TALKS], n_parallel=3)
    assert [response.output for response in responses] == list(TALKS.values())
    assert {response.finish_reason for response in responses} == {"stop"}
    assert all(response.usage.input_tokens and response.usage.output_tokens for response in responses)


def test_a_choice_comes_with_its_probabilities(tiny_gguf: Path, answers: Run) -> None:
    choices = ["yes", 'say "no"', "back\\slash", "是"]
    asked = [replace(request(DUCK, response_format={"choice": choices}), top_logprobs=4), request(DUCK)]
    chosen, free = answers(tiny_gguf, asked)
    assert chosen.output in choices
    assert free.logprobs is None
    assert all(2 <= len(place) <= 5 for place in chosen.logprobs)
    assert chosen.output.startswith(chosen.logprobs[0][0][0])


def test_a_short_answer_does_not_wait_for_a_long_one(tiny_gguf: Path, run: Run) -> None:
    """One after the other, the short one is never first; side by side, a busy machine may delay it now and then."""

    async def work(engine: LlamaCppEngine) -> list[list[str]]:
        return [await race(engine) for _ in range(10)]

    async def race(engine: LlamaCppEngine) -> list[str]:
        done: list[str] = []

        async def call(name: str, one: Request) -> None:
            await engine.answer(one)
            done.append(name)

        long = request(DUCK, max_tokens=10**6, extra={"ignore_eos": True})
        first = asyncio.create_task(call("long", long))
        await asyncio.sleep(0.01)
        await call("short", request(POND))
        await first
        return done

    assert ["short", "long"] in run(tiny_gguf, work, n_parallel=2)


@pytest.mark.parametrize("turns", [(Message("user", POND),), TURNS], ids=["one turn", "several"])
@pytest.mark.parametrize("template", [True, False], ids=["template", "no template"])
def test_the_same_tokens_are_read_as_by_transformers(
    tiny_llama: Path, tiny_gguf: Path, tmp_path: Path, turns: tuple[Message, ...], template: bool, run: Run
) -> None:
    import transformers
    from quackllm.workers.training.export_model import export

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    path = tiny_gguf
    if not template:
        plain = shutil.copytree(tiny_llama, tmp_path / "plain")
        (plain / "chat_template.jinja").unlink()
        tokenizer = transformers.AutoTokenizer.from_pretrained(plain)
        assert tokenizer.chat_template is None
        path = export(str(plain), str(tmp_path / "plain.gguf"), type="Q8_0").path
    read = run(path, lambda engine: engine._tokens(engine._server, turns))
    assert read == prompt_tokens(tokenizer, turns, {})


def test_a_template_that_refuses(tiny_llama: Path, tmp_path: Path, answers: Run) -> None:
    from quackllm.workers.training.export_model import export

    strict = shutil.copytree(tiny_llama, tmp_path / "strict")
    (strict / "chat_template.jinja").write_text("{{ raise_exception('no chat, ' + eos_token) }}")
    path = export(str(strict), str(tmp_path / "strict.gguf"), type="Q8_0").path
    (error,) = answers(path, [request(DUCK)])
    assert (error.code, error.retryable) == ("chat_template", False)
    assert "no chat, <|im_end|>" in error.message


def test_limits_and_stop_texts(tiny_gguf: Path, answers: Run) -> None:
    short, stopped = answers(tiny_gguf, [request(DUCK, max_tokens=3), request(DUCK, stop=("pond", "never"))])
    assert (short.finish_reason, short.error.code, short.usage.output_tokens) == ("length", "length", 3)
    assert TALKS[DUCK].startswith(short.output)
    assert (stopped.output, stopped.finish_reason) == ("A duck swims on the ", "stop")


def test_a_seed_repeats_a_draw(tiny_gguf: Path, answers: Run) -> None:
    asked = {"temperature": 2.0, "top_k": 400, "top_p": 1.0, "extra": {"min_p": 0.0}, "max_tokens": 30}
    seeds = (7, 7, 8, None, None)
    first, again, other, free, freer = answers(tiny_gguf, [request("x", seed=seed, **asked) for seed in seeds])
    assert first.output == again.output
    assert len({first.output, other.output, free.output, freer.output}) == 4


def test_an_answer_in_the_form_that_was_asked_for(tiny_gguf: Path, answers: Run) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}
    wrapped = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"enum": ["yes", "no"]}}}
    grammar = {"grammar": 'root ::= "SELECT " [1-3]'}
    responses = answers(
        tiny_gguf,
        [
            request(DUCK, response_format=wrapped),
            request(DUCK, extra=grammar),
            request(DUCK, response_format={**schema}, extra={"repeat_penalty": 1.5}, max_tokens=100),
        ],
    )
    assert responses[0].output in ('"yes"', '"no"')
    assert responses[1].output in ("SELECT 1", "SELECT 2", "SELECT 3")
    assert (responses[2].output or "").startswith("{")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"extra": {"repeat_penality": 1.1}}, "unsupported_option", "repeat_penalty"),
        ({"extra": {"prompt": "x"}}, "unsupported_option", "prompt"),
        ({"extra": {"grammar": "root := ("}}, "invalid_option", "failed to parse grammar"),
        ({"extra": {"min_p": "high"}}, "invalid_option", "min_p"),
    ],
)
def test_what_llama_cpp_does_not_have(
    tiny_gguf: Path, options: dict[str, Any], code: str, words: str, answers: Run
) -> None:
    bad, good = answers(tiny_gguf, [request(DUCK, **options), request(DUCK)])
    assert (bad.code, bad.retryable) == (code, False)
    assert words in bad.message
    assert good.output == TALKS[DUCK]


def test_too_long_too_empty_and_unseen(tiny_gguf: Path, run: Run, answers: Run) -> None:
    image = Request((Message("user", "?", ("https://example.org/a.png",)),))
    long, seen, good = answers(tiny_gguf, [request("duck " * 300), image, request(DUCK)])
    assert (long.code, long.retryable) == ("context_length_exceeded", False)
    assert "exceeds the available context size (256 tokens)" in long.message
    assert seen.code == "unsupported_option"
    assert good.output == TALKS[DUCK]

    async def work(engine: LlamaCppEngine) -> list[Any]:
        return await asyncio.gather(engine.embed(["duck " * 300]), engine.embed([""]), return_exceptions=True)

    long, empty = run(tiny_gguf, work, n_batch=64, pooling="mean")
    assert (long.code, long.retryable) == ("context_length_exceeded", False)
    assert (empty.code, empty.retryable) == ("invalid_option", False)


@pytest.mark.parametrize("asked", [DUCK, POND])
def test_a_stream_is_the_answer_piece_by_piece(tiny_gguf: Path, asked: str, run: Run) -> None:
    async def work(engine: LlamaCppEngine) -> list[Any]:
        return [piece async for piece in engine.stream(request(asked))]

    *pieces, response = run(tiny_gguf, work)
    assert len(pieces) > 3
    assert "".join(pieces) == response.output == TALKS[asked]
    assert response.usage.output_tokens > 3


def test_a_stream_says_why_it_fails(tiny_gguf: Path, run: Run) -> None:
    async def work(engine: LlamaCppEngine) -> None:
        async for _ in engine.stream(request("duck " * 300)):
            pass

    with pytest.raises(ProviderError, match="exceeds the available context size"):
        run(tiny_gguf, work)


def test_thoughts_are_kept_apart_in_a_whole_answer(tiny_gguf: Path, answers: Run) -> None:
    thinking = {"grammar": 'root ::= "<think>six times seven</think>\\n\\n42"'}
    (response,) = answers(tiny_gguf, [request(DUCK, extra=thinking)])
    assert (response.output, response.reasoning) == ("42", "six times seven")


def busy(engine: LlamaCppEngine) -> list[asyncio.Task[Response]]:
    """Start requests that fill the model's context one after the other: seconds of work."""
    long = request(DUCK, max_tokens=10**6, extra={"ignore_eos": True})
    return [asyncio.create_task(engine.answer(long)) for _ in range(400)]


def test_a_cancelled_request_stops_the_work(tiny_gguf: Path, run: Run) -> None:
    """What the server computes after the cancelling is a fraction of what the requests would have taken."""

    async def work(engine: LlamaCppEngine) -> tuple[float, float]:
        process = psutil.Process(engine._server.pid)
        began = process.cpu_times().user
        left = busy(engine)
        await asyncio.wait(left[:20])
        one = (process.cpu_times().user - began) / 20
        for task in left:
            task.cancel()
        cancelled = now = process.cpu_times().user
        before = -1.0
        while now - before > 0.02:
            await asyncio.sleep(0.5)
            before, now = now, process.cpu_times().user
        return now - cancelled, one * (len(left) - 20)

    computed, uncancelled = run(tiny_gguf, work, n_ctx=512, n_parallel=1)
    assert computed < uncancelled / 2


def test_a_process_that_dies_is_followed_by_another(tiny_gguf: Path, run: Run) -> None:
    async def work(engine: LlamaCppEngine) -> tuple[ProviderError, Response, set[int]]:
        first = engine._server.pid
        left = busy(engine)
        await left[0]
        os.kill(first, signal.SIGKILL)
        *_, failed = await asyncio.gather(*left, return_exceptions=True)
        response = await engine.answer(request(DUCK))
        return failed, response, {first, engine._server.pid}

    failed, response, processes = run(tiny_gguf, work, n_ctx=512, n_parallel=1)
    assert (failed.code, failed.retryable) == ("process_ended", True)
    assert response.output == TALKS[DUCK]
    assert len(processes) == 2
    assert not any(psutil.pid_exists(process) for process in processes)


def test_it_is_not_in_the_terminals_process_group(tiny_gguf: Path, run: Run) -> None:
    async def work(engine: LlamaCppEngine) -> int:
        return os.getpgid(engine._server.pid)

    assert run(tiny_gguf, work) != os.getpgid(0), "Ctrl-C of a statement would end the model"


def test_it_ends_with_its_parent(tiny_gguf: Path, run: Run) -> None:
    program = (
        "import asyncio, sys\n"
        "from quackllm.workers.engines.llama_cpp.engine import LlamaCppEngine, LlamaCppSettings\n"
        "async def main():\n"
        "    engine = LlamaCppEngine(LlamaCppSettings(model_path=sys.argv[1], n_ctx=64))\n"
        "    await engine.start()\n"
        "    print(engine._server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tiny_gguf)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    ended = time.monotonic() + 5
    while psutil.pid_exists(child) and time.monotonic() < ended:
        time.sleep(0.05)
    assert not psutil.pid_exists(child)


def test_vectors_do_not_depend_on_the_company(tiny_gguf: Path, run: Run) -> None:
    async def work(engine: LlamaCppEngine) -> tuple[list[list[float]], list[float], Response]:
        both, alone = await engine.embed([DUCK, POND]), await engine.embed([DUCK])
        return both, alone[0], await engine.answer(request(DUCK))

    both, alone, response = run(tiny_gguf, work, pooling="mean", n_parallel=3)
    assert [len(vector) for vector in both] == [256, 256]
    assert both[0] == pytest.approx(alone, abs=1e-3)
    assert both[1] != pytest.approx(alone, abs=1e-1)
    with pytest.raises(ProviderError, match="does not return vectors"):
        run(tiny_gguf, lambda engine: engine.embed([DUCK]))
    assert response.output == TALKS[DUCK], "an answer after vectors is the same answer"


@pytest.mark.parametrize("kind", ["no file", "a folder", "no GGUF", "cut off", "empty"])
def test_a_file_that_cannot_be_loaded(tiny_gguf: Path, tmp_path: Path, kind: str, answers: Run) -> None:
    path = tmp_path / "model.gguf"
    if kind == "a folder":
        path.mkdir()
    elif kind != "no file":
        whole = tiny_gguf.read_bytes()
        path.write_bytes({"no GGUF": b"hello " * 100, "cut off": whole[: len(whole) // 2], "empty": b""}[kind])
    missing = {"no file": "is not a file", "a folder": "is not a file", "empty": "is empty"}
    own = {"no GGUF": "invalid magic", "cut off": "not within the file"}
    with pytest.raises(DeployError, match={**missing, **own}[kind]) as caught:
        answers(path, [request(DUCK)])
    assert str(path) in caught.value.message


def test_a_missing_package_is_named(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, answers: Run) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError) as caught:
        answers(tiny_gguf, [request(DUCK)])
    assert caught.value.hint == 'pip install "quackllm[llama-cpp]"'


def test_it_streams_and_embeds() -> None:
    engine = LlamaCppEngine(LlamaCppSettings(model_path="model.gguf"))
    assert isinstance(engine, StreamingEngine)
    assert isinstance(engine, EmbeddingEngine)


def test_a_gguf_answers_in_sql(tiny_gguf: Path) -> None:
    params = {
        "backend": "llama_cpp",
        "backend.model_path": str(tiny_gguf),
        "backend.n_ctx": 128,
        "pooling": "last",
        "n_threads": 1,
    }
    quackllm.deploy("gguf_chat", "custom/auto", infer_params=params)
    with quackllm.connect() as connection:
        asked = connection.execute(
            "SELECT p, llm_result(gguf_chat(p)) FROM (SELECT unnest(?::VARCHAR[]) AS p)", [list(TALKS)]
        ).fetchall()
        (answer,) = connection.execute("SELECT llm_result(llm_chat('gguf_chat', ?))", [POND]).fetchone()
        with pytest.warns(UserWarning, match="context_length_exceeded"):
            (long,) = connection.execute("SELECT gguf_chat(repeat('duck ', 300))").fetchone()
        (size,) = connection.execute("SELECT len(llm_embed('gguf_chat', 'a duck'))").fetchone()
    assert dict(asked) == TALKS
    assert answer == TALKS[POND]
    assert long["error"]["code"] == "context_length_exceeded"
    assert size == 256
