"""Parts of a cluster die, come, go and change while SQL runs: no row is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import quackllm
from standin.fixtures import KEY, StandIn
from support.ray_cluster import MARKS, Grounds, command, running_cluster, wait_until

pytestmark = MARKS


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with running_cluster(tmp_path_factory.mktemp("losses"), 3) as running:
        yield running


def answered(grounds: Grounds) -> int:
    return sum(replica.answered for replica in quackllm.status("chat", cluster=grounds.address).replicas)


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do the work in a thread while the block runs; what it raises, fails the test."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not raised


def test_a_node_killed_in_the_middle_of_5000_rows_loses_none(grounds: Grounds, connection: quackllm.Connection) -> None:
    params = {"delay_seconds": 0.2}
    quackllm.deploy("chat", "echo", num_workers=4, worker_concurrency=16, infer_params=params, cluster=grounds.address)
    replicas = quackllm.status("chat", cluster=grounds.address).replicas
    assert len({replica.node for replica in replicas}) == 3, "the replicas are spread over all nodes"
    victim = next(iter(grounds.cluster.worker_nodes))
    lost = {replica.pid for replica in replicas if replica.node == victim.node_id[:8]}

    def kill_at_half() -> None:
        wait_until(lambda: answered(grounds) > 2000)
        grounds.cluster.remove_node(victim, allow_graceful=False)

    with meanwhile(kill_at_half):
        rows = connection.execute("SELECT llm_result(chat('row ' || i)) FROM range(5000) t(i)").fetchall()
    assert {row for (row,) in rows} == {f"echo: row {i}" for i in range(5000)}
    assert lost
    wait_until(lambda: all(replica.alive for replica in quackllm.status("chat", cluster=grounds.address).replicas))
    back = quackllm.status("chat", cluster=grounds.address).replicas
    assert not lost & {replica.pid for replica in back}
    assert victim.node_id[:8] not in {replica.node for replica in back}
    grounds.add_node()


def test_a_replica_killed_every_five_seconds_for_a_minute_loses_no_row(
    grounds: Grounds, connection: quackllm.Connection
) -> None:
    params = {"delay_seconds": 0.1}
    quackllm.deploy("chat", "echo", num_workers=3, worker_concurrency=8, infer_params=params, cluster=grounds.address)
    stop, kills = threading.Event(), []

    def kill_often() -> None:
        while not stop.wait(5):
            replicas = quackllm.status("chat", cluster=grounds.address).replicas
            if alive := [replica for replica in replicas if replica.alive]:
                os.kill(alive[len(kills) % len(alive)].pid, signal.SIGKILL)
                kills.append(alive[0].name)

    started, rows = time.monotonic(), 0
    with meanwhile(kill_often):
        while time.monotonic() - started < 60:
            found = connection.execute(
                f"SELECT count(*) FILTER (r.error IS NULL), any_value(r.error) FROM "
                f"(SELECT chat('row ' || i) AS r FROM range({rows}, {rows + 2000}) t(i))"
            ).fetchone()
            assert found == (2000, None)
            rows += 2000
        stop.set()
    assert len(kills) >= 8
    assert rows >= 4000


def test_rolling_a_spec_under_fifty_requests_a_second_fails_none(
    grounds: Grounds, connection: quackllm.Connection
) -> None:
    def deploy(delay: float) -> str:
        params = {"delay_seconds": delay}
        return quackllm.deploy("chat", "echo", num_workers=2, infer_params=params, cluster=grounds.address)

    deploy(0.02)
    connection.execute("SELECT chat('x')").fetchall()
    stop = threading.Event()
    found: list[tuple[str | None, str | None]] = []

    def ask(number: int) -> None:
        with connection.cursor() as cursor:
            for turn in range(1000):
                began = time.monotonic()
                rows = f"SELECT chat('{number} {turn} ' || i) AS r FROM range(25) t(i)"
                found.extend(cursor.execute(f"SELECT (r).output, (r).error.code FROM ({rows})").fetchall())
                if stop.wait(max(0.0, 1.0 - (time.monotonic() - began))):
                    return

    threads = [threading.Thread(target=ask, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    assert [deploy(delay) for delay in (0.021, 0.022, 0.023)] == ["rolled out"] * 3
    wait_until(lambda: time.monotonic() - started > 8)
    seconds = time.monotonic() - started
    stop.set()
    for thread in threads:
        thread.join()
    assert [code for output, code in found if output is None or code] == []
    assert len(found) / seconds > 15, "a busy machine asks less often than 50 times a second"


def test_undeploying_drains(grounds: Grounds, connection: quackllm.Connection) -> None:
    params = {"delay_seconds": 2}
    quackllm.deploy("chat", "echo", worker_concurrency=200, infer_params=params, cluster=grounds.address)

    def undeploy() -> None:
        wait_until(lambda: quackllm.status("chat", cluster=grounds.address).replicas[0].under_way == 150)
        quackllm.undeploy("chat", cluster=grounds.address)

    with meanwhile(undeploy):
        rows = connection.execute("SELECT llm_result(chat('row ' || i)) FROM range(150) t(i)").fetchall()
    assert rows == [(f"echo: row {i}",) for i in range(150)]
    assert quackllm.models(cluster=grounds.address) == []


def test_scaling_up_and_down_under_load(grounds: Grounds, connection: quackllm.Connection) -> None:
    params = {"delay_seconds": 0.1}
    quackllm.deploy("chat", "echo", worker_concurrency=8, infer_params=params, cluster=grounds.address)
    (first,) = quackllm.status("chat", cluster=grounds.address).replicas
    scaled = threading.Event()

    def scale() -> None:
        try:
            assert quackllm.scale("chat", 4, cluster=grounds.address) == "scaled from 1 to 4"
            wait_until(lambda: min(r.answered for r in quackllm.status("chat", cluster=grounds.address).replicas) > 20)
            assert quackllm.scale("chat", 1, cluster=grounds.address) == "scaled from 4 to 1"
        finally:
            scaled.set()

    with meanwhile(scale):
        first_row = 0
        while not scaled.is_set():
            sql = f"SELECT llm_result(chat('row ' || i)) FROM range({first_row}, {first_row + 1000}) t(i)"
            rows = connection.execute(sql).fetchall()
            assert rows == [(f"echo: row {first_row + i}",) for i in range(1000)]
            first_row += 1000
    (left,) = quackllm.status("chat", cluster=grounds.address).replicas
    assert (left.pid, left.starts) == (first.pid, 1), "the first replica noticed nothing"
    typed = command("quackllm", "scale", "chat", "1", "--cluster", grounds.address, "--json")
    assert json.loads(typed.stdout) == {"name": "chat", "outcome": "unchanged"}


def test_own_resources_place_replicas_and_the_environment_reaches_them(
    grounds: Grounds, connection: quackllm.Connection, service: StandIn
) -> None:
    node = grounds.add_node(resources={"special": 2})
    grounds.cluster.wait_for_nodes()
    given = {
        "resources_per_worker": {"special": 1},
        "env_vars": {"STANDIN_PASS": KEY},
        "infer_params": {**service.openai_params(), "saas.api_key": "env:STANDIN_PASS"},
    }
    quackllm.deploy("chat", "openai", num_workers=2, **given, cluster=grounds.address)
    replicas = quackllm.status("chat", cluster=grounds.address).replicas
    assert {replica.node for replica in replicas} == {node.node_id[:8]}
    assert connection.execute("SELECT llm_result(chat('x'))").fetchall() == [("answer to: x",)]
    assert KEY in service.requests()[0]["headers"]["Authorization"]
    with pytest.raises(quackllm.QuackLLMError, match="needs 3 specials, the cluster has 2"):
        quackllm.scale("chat", 3, cluster=grounds.address)
    with pytest.raises(quackllm.QuackLLMError, match="MY_API_KEY looks like a secret"):
        quackllm.deploy("chat", "echo", env_vars={"MY_API_KEY": "x"}, cluster=grounds.address)
