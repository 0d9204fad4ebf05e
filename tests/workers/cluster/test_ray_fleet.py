"""Models on a real Ray: deploying, rolling out, dying and coming back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator

import pytest
from quackllm.workers.errors import DeployError, UnknownModelError

import quackllm
from standin.fixtures import StandIn

pytestmark = [
    pytest.mark.ray,
    # Ray's own, about files and sockets that it leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray for this module; it is this process's own and ends with it."""
    import ray
    from quackllm.workers import connect_fleet

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("QUACKLLM_HOME", str(tmp_path_factory.mktemp("home-of-the-cluster")))
        connect_fleet("local")
        yield
        ray.shutdown()


@pytest.fixture
def connection() -> Iterator[quackllm.Connection]:
    with quackllm.connect(cluster="local") as opened:
        yield opened
    for model in quackllm.models(cluster="local"):
        quackllm.undeploy(model.spec.name, cluster="local")


def echo(name: str = "chat", **more: object) -> str:
    return quackllm.deploy(name, "echo", cluster="local", **more)  # type: ignore[arg-type]


def test_two_replicas_share_the_rows(connection):
    assert echo(num_workers=2, infer_params={"delay_seconds": 0.01}, worker_concurrency=8) == "deployed"
    rows = connection.execute("SELECT llm_result(chat('row ' || i)) FROM range(400) t(i)").fetchall()
    assert {row for (row,) in rows} == {f"echo: row {i}" for i in range(400)}
    replicas = quackllm.status("chat", cluster="local").replicas
    assert len({replica.pid for replica in replicas}) == 2
    assert sum(replica.answered for replica in replicas) == 400
    assert min(replica.answered for replica in replicas) > 100
    shown = connection.execute("SELECT name, workers, alive, restarts, answered FROM llm_models()").fetchall()
    assert shown == [("chat", 2, 2, 0, 400)]


def test_an_identical_deployment_changes_nothing_and_a_changed_one_is_rolled_out(connection):
    echo(num_workers=2)
    before = [replica.pid for replica in quackllm.status("chat", cluster="local").replicas]
    assert echo(num_workers=2) == "unchanged"
    assert [replica.pid for replica in quackllm.status("chat", cluster="local").replicas] == before
    assert echo(num_workers=1, infer_params={"dimensions": 4}) == "rolled out"
    after = [replica.pid for replica in quackllm.status("chat", cluster="local").replicas]
    assert len(after) == 1
    assert not set(after) & set(before)
    assert connection.execute("SELECT len(llm_embed('chat', 'x'))").fetchall() == [(4,)]


def test_rolling_out_under_load_fails_no_row(connection):
    echo(infer_params={"delay_seconds": 0.02}, worker_concurrency=8)
    roll = threading.Timer(0.5, lambda: echo(infer_params={"delay_seconds": 0.021}, worker_concurrency=8))
    roll.start()
    rows = connection.execute("SELECT llm_result(chat('row ' || i)) FROM range(800) t(i)").fetchall()
    roll.join()
    assert rows == [(f"echo: row {i}",) for i in range(800)]


def test_scaling_under_load_fails_no_row_and_restarts_nothing(connection):
    settings = {"infer_params": {"delay_seconds": 0.02}, "worker_concurrency": 8}
    echo(**settings)
    (first,) = quackllm.status("chat", cluster="local").replicas
    outcomes: list[str] = []

    def scale() -> None:
        outcomes.append(quackllm.scale("chat", 3, cluster="local"))
        outcomes.append(echo(num_workers=1, **settings))

    scaling = threading.Timer(0.3, scale)
    scaling.start()
    rows = connection.execute("SELECT llm_result(chat('row ' || i)) FROM range(1000) t(i)").fetchall()
    scaling.join()
    assert rows == [(f"echo: row {i}",) for i in range(1000)]
    assert outcomes == ["scaled from 1 to 3", "scaled from 3 to 1"]
    (left,) = quackllm.status("chat", cluster="local").replicas
    assert (left.pid, left.starts) == (first.pid, 1)


def test_kill_9_on_a_replica_in_the_middle_loses_no_row_and_shows_in_status(connection, service: StandIn):
    params = service.openai_params()
    quackllm.deploy("chat", "openai", num_workers=2, worker_concurrency=16, infer_params=params, cluster="local")
    service.script([{"fault": "slow", "seconds": 0.03}])
    victim = quackllm.status("chat", cluster="local").replicas[0].pid

    def kill_at_half() -> None:
        while service.count() < 1000:
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill_at_half)
    killer.start()
    rows = connection.execute("SELECT llm_result(chat('row ' || i)) FROM range(2000) t(i)").fetchall()
    killer.join()
    assert {row for (row,) in rows} == {f"answer to: row {i}" for i in range(2000)}
    assert service.count() <= 2000 + 2 * 16 * 2, "only the requests in flight on the dead replica were sent again"
    deadline = time.monotonic() + 20
    while (restarts := sum(r.starts - 1 for r in quackllm.status("chat", cluster="local").replicas)) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert restarts == 1
    assert victim not in {replica.pid for replica in quackllm.status("chat", cluster="local").replicas}


@pytest.mark.parametrize(
    ("deployment", "says"),
    [
        ({"type": "echo", "gpus_per_worker": 3}, "3 GPUs"),
        ({"type": "custom/auto", "infer_params": {"model_path": "/nowhere/at/all"}}, "/nowhere/at/all"),
        ({"type": "saas/qianwen"}, "DASHSCOPE_API_KEY"),
    ],
)
def test_a_failed_deployment_says_why_and_leaves_nothing(connection, deployment: dict, says: str):
    import ray

    with pytest.raises(DeployError, match=says):
        quackllm.deploy("broken", cluster="local", **deployment)
    assert quackllm.models(cluster="local") == []
    time.sleep(0.5)
    names = [entry["name"] for entry in ray.util.list_named_actors(all_namespaces=True)]
    assert not [name for name in names if name.startswith("broken")]


def test_a_failed_change_leaves_the_earlier_one_answering(connection):
    echo()
    with pytest.raises(DeployError):
        quackllm.deploy("chat", "saas/qianwen", cluster="local")
    assert connection.execute("SELECT llm_result(chat('still here'))").fetchall() == [("echo: still here",)]


def test_an_undeployed_model_is_gone(connection):
    echo()
    connection.execute("SELECT chat('x')").fetchall()
    quackllm.undeploy("chat", cluster="local")
    with pytest.raises(UnknownModelError):
        connection.execute("SELECT llm_chat('chat', 'y')").fetchall()
    with pytest.raises(UnknownModelError):
        quackllm.undeploy("chat", cluster="local")


def test_another_connection_finds_what_is_deployed(connection):
    echo("found_chat")
    with quackllm.connect(cluster="local") as other:
        assert other.execute("SELECT llm_result(found_chat('x'))").fetchall() == [("echo: x",)]


def test_a_request_that_no_row_can_survive_stops_the_statement(connection, service: StandIn):
    quackllm.deploy("chat", "openai", infer_params=service.openai_params(), cluster="local")
    service.script([{"fault": "wrong_key"}])
    with pytest.raises(quackllm.QuackLLMError, match=r"(?i)key"):
        connection.execute("SELECT chat('row ' || i) FROM range(100) t(i)").fetchall()


def test_a_restarted_directory_finds_what_is_deployed_again(connection):
    import ray

    echo(num_workers=2)
    ray.kill(ray.get_actor("directory", "quackllm"), no_restart=False)
    assert [model.spec.name for model in quackllm.models(cluster="local")] == ["chat"]
    assert connection.execute("SELECT llm_result(chat('still here'))").fetchall() == [("echo: still here",)]


def test_the_drivers_of_a_cluster_share_one_call_store(connection, service: StandIn, home):
    quackllm.deploy("chat", "openai", infer_params=service.openai_params(), cluster="local")
    statement = "SELECT llm_result(chat('p' || (i % 20))) FROM range(400) t(i)"
    with quackllm.connect(cluster="auto") as here:
        assert len(here.execute(statement).fetchall()) == 400
        assert here.execute("SELECT sum(calls) FROM llm_usage()").fetchall() == [(20,)]
    program = f"import quackllm; print(len(quackllm.connect(cluster='auto').execute({statement!r}).fetchall()))"
    elsewhere = {**os.environ, "QUACKLLM_HOME": str(home / "of-another-machine")}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=elsewhere, check=True)
    assert told.stdout.split()[-1] == "400"
    assert service.count() == 20


def test_an_answer_streams_from_a_replica_and_leaving_it_stops_the_engine(connection, service: StandIn):
    from quackllm.udf.streaming import StreamedAnswer
    from quackllm.workers.messages import Request

    quackllm.deploy("streamed", "saas/openai", infer_params=service.openai_params(), cluster="local")
    question = "a question that is long enough to come in a good many pieces"
    *pieces, response = StreamedAnswer(connection, Request.of(question), model="streamed")
    assert len(pieces) > 5
    assert "".join(pieces) == response.output == f"answer to: {question}"
    service.script([{"fault": "slow", "piece_seconds": 0.2}])
    streaming = StreamedAnswer(connection, Request.of(question + " again"), model="streamed")
    next(iter(streaming))
    assert streaming.stop().finish_reason == "cancelled"
    deadline = time.monotonic() + 30
    while quackllm.status("streamed", cluster="local").replicas[0].under_way:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert quackllm.status("streamed", cluster="local").replicas[0].answered == 1
