"""Whatever an engine raises or returns, each row is answered or has an error, and who reads a stream hears of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from pydantic import BaseModel, SecretStr
from quackllm.workers.deployments.spec import ModelSpec, make_spec
from quackllm.workers.engines.echo import EchoEngine, EchoSettings
from quackllm.workers.errors import ProviderError, QuackLLMError, RequestError, SetupError
from quackllm.workers.messages import Failure, Message, Request, Response, Usage
from quackllm.workers.serving.local_fleet import local_fleet
from quackllm.workers.serving.worker import Worker
from quackllm.workers.vectors import vector_bytes

import quackllm

KEY = "canary-key-0001"


class OddSettings(EchoSettings):
    """An engine of somebody's, with a key."""

    api_key: SecretStr = SecretStr(KEY)


class OddEngine(EchoEngine):
    """Does what `act` does."""

    Settings: ClassVar[type[BaseModel]] = OddSettings
    chat_batch: ClassVar[int] = 1
    embed_batch: ClassVar[int] = 4
    act: ClassVar[Callable[[], Any]]
    start_act: ClassVar[Callable[[], Any]] = staticmethod(lambda: None)

    async def start(self) -> None:
        type(self).start_act()

    async def answer(self, request: Request) -> Response:
        if "fine" in request.messages[-1].content:
            return Response("fine")
        result: Response = type(self).act()
        return result

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        yield "half"
        yield type(self).act()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        result: list[list[float]] = type(self).act()
        return result


class OddError(BaseException):
    """Nothing that anybody expects."""


def raising(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return staticmethod(act)


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    monkeypatch.setattr("quackllm.workers.deployments.spec.find_engine", lambda name: OddEngine)
    monkeypatch.setattr(OddEngine, "start_act", staticmethod(lambda: None))
    return make_spec(name="odd", type="echo", infer_params={"limits.max_attempts": 1})


def run(spec: ModelSpec, requests: Sequence[Request]) -> list[Any]:
    async def main() -> list[Any]:
        worker = Worker(spec)
        async with asyncio.timeout(10):
            await worker.start()
            return [said async for batch in worker.answer(requests) for said in batch]

    return asyncio.run(main())


def responses(spec: ModelSpec, requests: Sequence[Request]) -> list[Response]:
    found = dict(said for said in run(spec, requests) if isinstance(said[1], Response))
    return [found[place] for place in range(len(requests))]


ERRORS = [
    *(
        ValueError(f"with {KEY}"),
        KeyError("x"),
        RecursionError("deep"),
        MemoryError(),
        StopIteration(),
        AssertionError(),
    ),
    *(
        SystemExit(1),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        OddError("odd"),
        ExceptionGroup("two", [OSError()]),
    ),
    *(StopAsyncIteration(), RequestError("of ours"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, KEY), TimeoutError()),
    ProviderError(["no text", KEY], code=7, retry_after_seconds="soon", finish_reason="odd"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_is_that_rows_error(
    spec: ModelSpec, error: BaseException, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OddEngine, "act", raising(error), raising=False)
    odd = replace(Request.of("odd"), streamed=streamed)
    failed, fine = responses(spec, [odd, Request.of("fine")])
    assert fine.output == "fine"
    assert failed.error is not None
    assert failed.finish_reason == "error"
    assert isinstance(failed.error.code, str)
    assert KEY not in repr(failed)


def test_what_no_row_can_survive_stops_the_statement(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OddEngine, "act", raising(SetupError(f"no licence for {KEY}")), raising=False)
    with pytest.raises(SetupError, match=r"no licence for \(hidden\)"):
        run(spec, [Request.of("odd")])


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_engine_that_does_not_start_stops_the_statement_at_once(
    spec: ModelSpec, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OddEngine, "start_act", raising(error))
    with pytest.raises(SetupError) as caught:
        run(spec, [Request.of("odd")])
    assert KEY not in f"{caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"


def test_an_engine_that_did_not_start_is_tried_again(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        worker = Worker(spec)
        monkeypatch.setattr(OddEngine, "start_act", raising(OSError("not yet")))
        with pytest.raises(SetupError, match="not yet"):
            await worker.start()
        monkeypatch.setattr(OddEngine, "start_act", staticmethod(lambda: None))
        await worker.start()

    asyncio.run(main())


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text",
        {"output": "x"},
        Response(None),
        Response(None, finish_reason="stop", usage=Usage(3, 4)),
        7,
        b"bytes",
    ],
)
def test_what_is_no_answer_is_an_error(spec: ModelSpec, given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OddEngine, "act", staticmethod(lambda: given), raising=False)
    (response,) = responses(spec, [Request.of("odd")])
    assert response.error is not None
    assert response.error.code in ("broken_reply", "empty_choice")


def test_each_field_of_an_engines_answer_is_checked(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    odd: Any = Response(
        ["a", {"type": "text", "text": "\ud83d"}],  # type: ignore[arg-type]
        reasoning=5,  # type: ignore[arg-type]
        finish_reason="eos",  # type: ignore[arg-type]
        usage=Usage(-5, float("nan")),  # type: ignore[arg-type]
        request_id={"id": 1},  # type: ignore[arg-type]
        tool_calls=[1],  # type: ignore[arg-type]
        history=(Message("user", "made up"),),
    )
    monkeypatch.setattr(OddEngine, "act", staticmethod(lambda: odd), raising=False)
    (response,) = responses(spec, [Request.of("odd")])
    assert (response.output, response.reasoning, response.finish_reason) == ("a\ufffd", "5", "stop")
    assert (response.usage, response.request_id, response.tool_calls) == (Usage(), '{"id": 1}', "[1]")
    assert (response.error, response.history) == (None, ())


def test_a_failure_beside_stop_is_no_answer(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Response("x", error=Failure("a\ud83d", "m\ud83d"))
    monkeypatch.setattr(OddEngine, "act", staticmethod(lambda: odd), raising=False)
    (response,) = responses(spec, [Request.of("odd")])
    assert (response.finish_reason, response.error) == ("error", Failure("a\ufffd", "m\ufffd"))


def test_thinking_is_kept_out_of_every_engines_answer(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "<think>hm</think>\n\nFour"
    monkeypatch.setattr(OddEngine, "act", staticmethod(lambda: Response(text)), raising=False)
    (response,) = responses(spec, [Request.of("odd")])
    assert (response.output, response.reasoning) == ("Four", "hm")


VECTORS = [None, "xy", [], [[1.0]], [[1.0], [2.0], [3.0]], [[1.0], None], [[1.0], [float("nan")]], [[1.0], "x"], 5]


@pytest.mark.parametrize("given", VECTORS)
def test_vectors_are_checked_row_by_row(spec: ModelSpec, given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OddEngine, "act", staticmethod(lambda: given), raising=False)
    requests = [Request((Message("user", text),), kind="embed") for text in ("a", "b")]
    first, second = responses(spec, requests)
    assert second.error is not None
    assert second.embedding is None
    if isinstance(given, list) and len(given) == 2:
        assert first.embedding == vector_bytes([1.0])


@pytest.mark.parametrize("piece", [["a", "b"], {"text": "ab"}, 12, b"ab", object()])
def test_a_reader_of_a_stream_never_waits(spec: ModelSpec, piece: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OddEngine, "act", staticmethod(lambda: piece), raising=False)
    said = run(spec, [replace(Request.of("odd"), streamed=True)])
    assert all(isinstance(each, str | Response) for _, each in said)
    assert isinstance(said[-1][1], Response)
    assert said[-1][1].error is not None


@pytest.mark.filterwarnings("ignore::quackllm.FailedRowsWarning")
def test_a_statement_ends_whatever_the_engine_raises(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: DuckDB, the caller, the router, the worker's thread."""
    quackllm.deploy("odd", "echo", infer_params={"limits.max_attempts": 1})
    monkeypatch.setattr(OddEngine, "act", raising(SystemExit("gone")), raising=False)
    result: list[Any] = []

    def execute() -> None:
        result.extend(quackllm.connect().execute("SELECT odd('x').error.code, odd('fine').output").fetchall())

    thread = threading.Thread(target=execute, daemon=True)
    thread.start()
    thread.join(20)
    assert result == [("engine_error", "fine")]


def test_a_statement_ends_where_the_engine_does_not_start(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    quackllm.deploy("odd", "echo", infer_params={"limits.max_attempts": 1})
    local_fleet().close()
    monkeypatch.setattr(OddEngine, "start_act", raising(ImportError("no such library")))
    result: list[str] = []

    def execute() -> None:
        try:
            quackllm.connect().execute("SELECT odd('x')").fetchall()
        except QuackLLMError as error:
            result.append(str(error))

    thread = threading.Thread(target=execute, daemon=True)
    thread.start()
    thread.join(20)
    assert result, "nobody was told"
    assert "no such library" in result[0]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_key_in_an_answer_is_hidden(spec: ModelSpec, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    alternatives = (((KEY[:9], -0.1), ("other", -3.0)),)
    said = Response(
        f"sent with {KEY}",
        f"the key {KEY.upper()} works",
        Failure("length", f"cut off after {KEY}"),
        finish_reason="length",
        request_id=f"req-{KEY}",
        tool_calls=f'[{{"arguments": "{KEY}"}}]',
        logprobs=alternatives,
    )

    async def stream(_: Any, request: Request) -> AsyncIterator[str | Response]:
        for character in f"sent with {KEY}":
            yield character
        yield said

    monkeypatch.setattr(OddEngine, "act", staticmethod(lambda: said), raising=False)
    monkeypatch.setattr(OddEngine, "stream", stream)
    result = run(spec, [replace(Request.of("odd"), streamed=streamed)])
    ((_, response),) = [each for each in result if isinstance(each[1], Response)]
    assert response.output == "sent with (hidden)"
    assert response.reasoning == "the key (hidden) works"
    assert response.error.message == "cut off after (hidden)"
    assert KEY not in f"{result!r}".lower()
    assert response.logprobs is None
    if streamed:
        assert "".join(chunk for _, chunk in result if isinstance(chunk, str)) == "sent with (hidden)"


def test_of_a_key_that_is_cut_off_no_more_than_a_word_is_shown(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length, shown in ((11, KEY[:11]), (13, "(hidden)")):
        act = staticmethod(lambda length=length: Response(f"it is {KEY[:length]}"))
        monkeypatch.setattr(OddEngine, "act", act, raising=False)
        assert responses(spec, [Request.of("odd")])[0].output == f"it is {shown}"
