"""The sandbox: what its children compute is bounded, comes back as plain values, and harms nobody."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from quackllm.workers.errors import GuardError, RequestError, SandboxLimitError
from quackllm.workers.sandbox import Sandbox, SandboxLimits

from support import sandbox_calls as calls

SHORT = SandboxLimits(megabytes=256, seconds=0.3)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox(calls.warm_up, processes=2)
    yield box
    box.close()


def test_a_function_runs_in_another_process_that_is_kept_warm(sandbox: Sandbox) -> None:
    assert sandbox.call(calls.process) != os.getpid()
    assert sandbox.call(calls.was_warmed)
    assert len({sandbox.call(calls.process) for _ in range(5)}) == 1


def test_plain_values_come_back_as_they_were_and_nothing_else_does(sandbox: Sandbox) -> None:
    assert sandbox.call(calls.values) == calls.values()
    with pytest.raises(SandboxLimitError):
        sandbox.call(calls.an_object)
    assert sandbox.call(calls.values) == calls.values()


def test_memory_beyond_the_limit_is_refused_and_the_next_call_is_answered(sandbox: Sandbox) -> None:
    assert sandbox.call(calls.allocate, 100, limits=SandboxLimits(megabytes=256)) == 100 << 20
    with pytest.raises(SandboxLimitError) as caught:
        sandbox.call(calls.allocate, 1000, limits=SandboxLimits(megabytes=256))
    assert caught.value.limit == "memory"
    assert sandbox.call(calls.values) == calls.values()


def test_what_no_interrupt_stops_is_ended_with_its_process_and_the_next_call_is_answered(sandbox: Sandbox) -> None:
    before = sandbox.call(calls.process)
    with pytest.raises(SandboxLimitError) as caught:
        sandbox.call(calls.spin, limits=SHORT)
    assert (caught.value.limit, caught.value.stopped) == ("time", False)
    assert sandbox.call(calls.process) != before
    assert not psutil.pid_exists(before)


def test_a_result_that_is_too_large_and_a_process_that_dies_are_limits_too(sandbox: Sandbox) -> None:
    for function, arguments, limit in ((calls.leave, (), "memory"), (bytes, (9 << 20,), "size")):
        with pytest.raises(SandboxLimitError) as caught:
            sandbox.call(function, *arguments)
        assert caught.value.limit == limit
    assert sandbox.call(calls.values) == calls.values()


def test_our_errors_come_back_as_they_were_and_others_as_what_they_say(sandbox: Sandbox) -> None:
    with pytest.raises(GuardError, match="no") as caught:
        sandbox.call(calls.fail)
    assert caught.value.hint == "write something else"
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        sandbox.call(calls.divide)


def test_the_parent_answers_questions_and_its_time_does_not_count(sandbox: Sandbox) -> None:
    def answer(number: Any) -> int:
        time.sleep(0.2)
        return int(number) + 1

    assert sandbox.call(calls.sum_of_answers, 4, limits=SHORT, answer=answer) == 10


def test_an_error_in_an_answer_ends_the_call_as_that_error(sandbox: Sandbox) -> None:
    error = RequestError("no answer")

    def answer(_: Any) -> int:
        raise error

    with pytest.raises(RequestError) as caught:
        sandbox.call(calls.sum_of_answers, 1, answer=answer)
    assert caught.value is error
    assert sandbox.call(calls.values) == calls.values()


def test_no_more_calls_run_at_once_than_there_may_be_processes(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: sandbox.call(calls.process), range(24)))
    assert len(set(found)) <= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_after_a_fork_the_new_process_has_children_of_its_own(sandbox: Sandbox) -> None:
    mine = sandbox.call(calls.process)
    if (child := os.fork()) == 0:
        others = sandbox.call(calls.process)
        os._exit(0 if others not in (mine, os.getpid()) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sandbox.call(calls.process) == mine


def test_children_end_with_their_parent() -> None:
    program = (
        "import os; from support import sandbox_calls; from quackllm.workers.sandbox import Sandbox; "
        "print(Sandbox().call(sandbox_calls.process), flush=True); os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(10)


def test_abort_ends_the_calls_under_way_and_the_next_call_is_answered() -> None:
    box = Sandbox(calls.warm_up, processes=2)
    before = box.call(calls.process)
    with ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        waiting = pool.submit(box.call, calls.spin, limits=SandboxLimits(seconds=60))
        while not box.busy and time.monotonic() < begun + 10:
            time.sleep(0.01)
        box.abort()
        with pytest.raises(SandboxLimitError):
            waiting.result(timeout=10)
    assert time.monotonic() < begun + 10
    assert box.call(calls.process) != before
    assert not psutil.pid_exists(before)
    box.close()
