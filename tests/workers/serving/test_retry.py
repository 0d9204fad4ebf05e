"""Retries, Retry-After, rates and time limits."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest
from quackllm.workers.deployments.spec import Limits, make_spec
from quackllm.workers.errors import ProviderError
from quackllm.workers.messages import Message, Request, Usage
from quackllm.workers.serving.retry import MAX_PAUSE_SECONDS, RetryPolicy, longest_pause
from quackllm.workers.serving.worker import Worker


class Service:
    """Fails as told, then answers; keeps when it was called."""

    def __init__(self, *failures: ProviderError) -> None:
        self.failures = list(failures)
        self.called: list[float] = []

    async def __call__(self, request: Request) -> str:
        self.called.append(monotonic())
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def failure(**fields: object) -> ProviderError:
    return ProviderError("try later", **{"code": "busy", "retryable": True, **fields})  # type: ignore[arg-type]


def ask(service: Service, limits: Limits, count: int = 1) -> list[str]:
    async def all_of_them() -> list[str]:
        policy = RetryPolicy(limits)
        return await asyncio.gather(*(policy.call(service, Request.of("x")) for _ in range(count)))

    return asyncio.run(all_of_them())


def test_what_may_pass_is_tried_again():
    service = Service(failure(), failure())
    assert ask(service, Limits()) == ["done"]
    assert len(service.called) == 3


def test_what_will_not_pass_is_not_tried_again():
    service = Service(failure(retryable=False))
    with pytest.raises(ProviderError, match="try later"):
        ask(service, Limits())
    assert len(service.called) == 1


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_attempts_are_counted(attempts: int):
    service = Service(*[failure() for _ in range(10)])
    with pytest.raises(ProviderError):
        ask(service, Limits(max_attempts=attempts))
    assert len(service.called) == attempts


def test_retry_after_holds_back_every_request_of_the_worker():
    service = Service(failure(retry_after_seconds=0.4))

    async def two_after_one_another() -> None:
        policy = RetryPolicy(Limits())
        first = asyncio.create_task(policy.call(service, Request.of("refused")))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, policy.call(service, Request.of("another")))

    asyncio.run(two_after_one_another())
    assert len(service.called) == 3
    assert service.called[1] - service.called[0] >= 0.4, "nobody asked during the pause"


@pytest.mark.parametrize("asked", [86400.0, float("inf")])
def test_a_pause_is_bounded_and_logged(asked: float, caplog: pytest.LogCaptureFixture):
    service = Service(failure(retry_after_seconds=asked))

    async def run() -> float:
        policy = RetryPolicy(Limits(), model="slow")
        call = asyncio.create_task(policy.call(service, Request.of("x")))
        await asyncio.sleep(0.05)
        paused = policy.paused_seconds
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return paused

    caplog.set_level("INFO", logger="quackllm")
    assert MAX_PAUSE_SECONDS - 1 < asyncio.run(run()) <= MAX_PAUSE_SECONDS
    (record,) = [record for record in caplog.records if record.getMessage() == "paused"]
    assert record.fields["model"] == "slow"


def test_a_pause_ends_when_the_last_who_waits_is_interrupted():
    service = Service(failure(retry_after_seconds=30))

    async def run() -> str:
        policy = RetryPolicy(Limits())
        waiting = [asyncio.create_task(policy.call(service, Request.of(str(number)))) for number in range(3)]
        await asyncio.sleep(0.05)
        for call in waiting:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(5):
            return await policy.call(service, Request.of("next"))

    assert asyncio.run(run()) == "done"


def test_a_success_ends_the_pause_for_all():
    refused, slow = failure(retry_after_seconds=30), asyncio.Event()

    async def service(request: Request) -> str:
        if request.messages[0].content == "slow":
            await slow.wait()
        elif not slow.is_set():
            raise refused
        return "done"

    async def run() -> list[str]:
        policy = RetryPolicy(Limits())
        under_way = asyncio.create_task(policy.call(service, Request.of("slow")))
        await asyncio.sleep(0)
        paused = asyncio.create_task(policy.call(service, Request.of("refused")))
        await asyncio.sleep(0.05)
        assert policy.paused_seconds > 20
        slow.set()
        async with asyncio.timeout(5):
            return await asyncio.gather(under_way, paused)

    assert asyncio.run(run()) == ["done", "done"]


def test_an_attempt_that_takes_too_long_is_given_up_and_tried_again():
    calls = 0

    async def slow_at_first(request: Request) -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.sleep(30)
        return "done"

    answer = asyncio.run(RetryPolicy(Limits(timeout_seconds=0.05)).call(slow_at_first, Request.of("x")))
    assert (answer, calls) == ("done", 2)


def test_a_service_that_was_never_reached_is_a_matter_of_the_set_up():
    nowhere = Service(*[failure(code="connection") for _ in range(10)])
    with pytest.raises(ProviderError) as caught:
        ask(nowhere, Limits())
    assert caught.value.setup
    assert len(nowhere.called) == 3


def test_a_service_that_was_reached_before_is_waited_for():
    service = Service(failure(code="overloaded"), failure(code="connection"), failure(code="connection"))
    assert ask(service, Limits(max_attempts=4)) == ["done"]
    assert len(service.called) == 4


def test_requests_a_minute_are_kept():
    service = Service()
    ask(service, Limits(requests_per_minute=600), count=15)
    assert service.called[-1] - service.called[0] >= 0.4, "10 at once, then 10 a second"


def test_tokens_a_minute_count_what_was_really_used():
    service = Service()

    async def run() -> float:
        policy = RetryPolicy(Limits(tokens_per_minute=6000))
        started = monotonic()
        request = Request((Message("user", "x" * 30),))
        await policy.call(service, request)
        await policy.charge_tokens(request, Usage(50, 60))
        await policy.call(service, request)
        return monotonic() - started

    assert asyncio.run(run()) >= 0.1, "the answer used up this second's hundred tokens"


def test_a_pause_is_told_in_the_status():
    spec = make_spec(name="m", type="echo")

    async def run() -> tuple[float, float]:
        worker = Worker(spec)
        call = asyncio.create_task(worker.retry.call(Service(failure(retry_after_seconds=500)), Request.of("x")))
        await asyncio.sleep(0.05)
        told = worker.status()["paused_seconds"], longest_pause()
        call.cancel()
        return told

    in_status, anywhere = asyncio.run(run())
    assert 50 < in_status <= MAX_PAUSE_SECONDS
    assert 50 < anywhere <= MAX_PAUSE_SECONDS
