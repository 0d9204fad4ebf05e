"""The head dies and comes back: with nothing kept outside of it, and with Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.ray_cluster import MARKS, Program, command, wait_until
from support.ray_heads import HERE, Node, free_port, running_redis

pytestmark = MARKS
SILENCE = {"QUACKLLM_CLUSTER_SECONDS": "15"}


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """Nodes that end with the test."""
    started: list[Node] = []
    yield started
    for node in started:
        node.remove()


def models(folder: Path, more: str = "") -> str:
    (folder / "models.yaml").write_text(f"chat:\n  type: echo\n{more}")
    return str(folder / "models.yaml")


def replicas(address: str) -> list[dict]:
    shown = command("quackllm", "status", "chat", "--json", "--cluster", address)
    return json.loads(shown.stdout)["replicas"] if shown.returncode == 0 else []


def test_without_a_store_outside_the_models_are_applied_again(nodes: list[Node], tmp_path: Path) -> None:
    address = f"{HERE}:{free_port()}"
    head, file = Node(address, head=True), models(tmp_path)
    nodes.append(head)
    head.start()
    deploy = ["quackllm", "deploy", "-f", file, "--cluster", address]
    wait_until(lambda: command(*deploy).returncode == 0)  # Its own raylet comes a moment after the head.
    program = Program(address, **SILENCE)
    assert program.ask("SELECT llm_result(chat('one'))") == "rows [('echo: one',)]"
    head.kill()
    shown = command("quackllm", "status", "chat", "--cluster", address)
    assert shown.returncode == 1
    assert "no Ray cluster answers at" in shown.stderr
    assert "does not answer" in program.ask("SELECT llm_result(chat('two'))"), "an error, no hang"
    program.end()
    head.start()
    wait_until(lambda: command(*deploy).returncode == 0)
    asked = command("quackllm", "sql", "-c", "SELECT llm_result(chat('two'))", "--cluster", address)
    assert "echo: two" in asked.stdout


def test_with_redis_the_replicas_survive(nodes: list[Node], tmp_path: Path) -> None:
    address = f"{HERE}:{free_port()}"
    with running_redis(tmp_path) as redis:
        head = Node(address, head=True, environment={"RAY_REDIS_ADDRESS": redis})
        worker = Node(address, head=False, more=("--resources", '{"away": 2}'))
        nodes += [worker, head]
        head.start()
        worker.start()
        file = models(tmp_path, "  num_workers: 2\n  resources_per_worker: {away: 1}\n")
        deploy = ["quackllm", "deploy", "-f", file, "--cluster", address]
        wait_until(lambda: command(*deploy).returncode == 0)
        before = {replica["pid"] for replica in replicas(address)}
        assert len(before) == 2
        ask = ["quackllm", "sql", "-c", "SELECT llm_result(chat('kept'))", "--cluster", address]
        assert "echo: kept" in command(*ask).stdout
        head.kill()
        shown = command("quackllm", "status", "chat", "--cluster", address)
        assert (shown.returncode, "no Ray cluster answers at" in shown.stderr) == (1, True)
        time.sleep(1)
        head.start()
        wait_until(lambda: "echo: kept" in command(*ask).stdout, seconds=240)
        assert {replica["pid"] for replica in replicas(address)} == before
        assert all(replica["alive"] and replica["starts"] == 1 for replica in replicas(address))
