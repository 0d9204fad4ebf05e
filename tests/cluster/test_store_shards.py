"""A cluster's call store on shards: every request is sent once, and no answer is lost when parts die or move."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil
import pytest
import ray
from quackllm.udf.calls.async_store import SHARD
from quackllm.udf.calls.slots import StoreLayout

import quackllm
from support.ray_cluster import MARKS, Grounds, Program, running_cluster, wait_until

pytestmark = MARKS
ROWS = 3000
IN_FLIGHT = 4 * 32  # Twice what the replicas work on: what a killed driver may have had on its way.
STATEMENT = "SELECT count(a), count(DISTINCT a) FROM (SELECT llm_result(chat('{0} ' || i)) AS a FROM range({1}) t(i))"
ALL_ROWS = f"rows [({ROWS}, {ROWS})]"


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with running_cluster(tmp_path_factory.mktemp("shards"), 1) as running:
        slow = {"num_workers": 2, "worker_concurrency": 32, "infer_params": {"delay_seconds": 0.1}}
        quackllm.deploy("chat", "echo", **slow, cluster=running.address)
        yield running


@pytest.fixture
def drivers(grounds: Grounds) -> Iterator[list[Program]]:
    programs = [Program(grounds.address) for _ in range(4)]
    with ExitStack() as stack:
        for program in programs:
            stack.callback(program.end)
        yield programs


def sent(grounds: Grounds) -> int:
    return sum(replica.answered for replica in quackllm.status("chat", cluster=grounds.address).replicas)


def processes(actor: str) -> list[int]:
    found = psutil.process_iter(["cmdline"])
    return sorted(process.pid for process in found if f"ray::{actor}" in " ".join(process.info["cmdline"] or ()))


def layout() -> StoreLayout:
    found: StoreLayout = ray.get(ray.get_actor(f"{SHARD}0").layout.remote())
    return found


def is_on(shards: int) -> bool:
    return layout().shards == shards and not layout().is_moving


def run_at_once(drivers: list[Program], topic: str) -> list[str]:
    with ThreadPoolExecutor(len(drivers)) as threads:
        return list(threads.map(lambda driver: driver.ask(STATEMENT.format(topic, ROWS)), drivers))


def test_the_store_moves_to_four_shards_and_to_two_while_four_drivers_work(
    grounds: Grounds, drivers: list[Program]
) -> None:
    before = sent(grounds)
    assert run_at_once(drivers, "on one shard") == [ALL_ROWS] * 4
    assert is_on(1)
    for shards in (4, 2):
        (grounds.home / "settings.yaml").write_text(f"store_shards: {shards}\n")
        assert run_at_once(drivers, f"while it moves to {shards}") == [ALL_ROWS] * 4
        wait_until(lambda shards=shards: is_on(shards))
    assert sent(grounds) - before == 3 * ROWS, "each request was sent once"
    with ExitStack() as stack:
        newcomer = Program(grounds.address)
        stack.callback(newcomer.end)
        for topic in ("on one shard", "while it moves to 4", "while it moves to 2"):
            assert newcomer.ask(STATEMENT.format(topic, ROWS)) == ALL_ROWS
    assert sent(grounds) - before == 3 * ROWS, "every answer was found again"


def test_a_killed_shard_loses_no_answer_and_a_killed_driver_resumes(grounds: Grounds, drivers: list[Program]) -> None:
    (grounds.home / "settings.yaml").write_text("store_shards: 4\n")
    assert drivers[0].ask("SELECT llm_result(chat('first'))") == "rows [('echo: first',)]"
    wait_until(lambda: is_on(4))
    before = sent(grounds)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(run_at_once, drivers, "kill")
        wait_until(lambda: sent(grounds) - before > ROWS / 3)
        victim = processes("StoreShard")[1]
        os.kill(victim, signal.SIGKILL)
        assert running.result() == [ALL_ROWS] * 4
    assert sent(grounds) - before == ROWS, "each request was sent once"
    assert victim not in processes("StoreShard")

    with ThreadPoolExecutor() as threads:
        threads.submit(drivers[0].ask, STATEMENT.format("resume", ROWS))
        wait_until(lambda: sent(grounds) - before > ROWS * 4 / 3)
        drivers[0].end()
    assert drivers[1].ask(STATEMENT.format("resume", ROWS)) == ALL_ROWS
    assert 2 * ROWS <= sent(grounds) - before <= 2 * ROWS + IN_FLIGHT
