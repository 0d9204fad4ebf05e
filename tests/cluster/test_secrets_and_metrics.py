"""What a cluster shows of its models: numbers and events, and no key."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import quackllm
from standin.fixtures import StandIn
from support.ray_cluster import MARKS, Grounds, Program, command, running_cluster

pytestmark = MARKS
SECRET = "sk-planted-9f8e7d6c5b4a"


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    head = {"include_dashboard": True, "dashboard_host": "127.0.0.1", "dashboard_port": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUACKLLM_LOG", "debug")
        patch.setenv("PLANTED_API_KEY", SECRET)
        with running_cluster(tmp_path_factory.mktemp("shown"), 1, **head) as running:
            yield running


def page(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as reply:
        text: str = reply.read().decode()
        return text


def metrics(grounds: Grounds) -> str:
    import ray

    return "\n".join(page(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}") for node in ray.nodes())


def test_metrics_are_there_and_no_secret_anywhere(
    grounds: Grounds, connection: quackllm.Connection, service: StandIn, home: Path
) -> None:
    (home / "prices.yaml").write_text("literal: {input: 1000, output: 1000}")
    literal = {**service.openai_params(), "saas.api_key": SECRET}
    referred = {**literal, "saas.api_key": "env:PLANTED_API_KEY"}
    quackllm.deploy("literal", "openai", num_workers=2, infer_params=literal, cluster=grounds.address)
    quackllm.deploy("referred", "openai", infer_params=referred, cluster=grounds.address)
    service.script([{"fault": "bad_request", "marker": "row 7", "times": 2}])
    program = Program(grounds.address)  # Ray shows the metrics of a process with the cluster that it met first.
    for model in ("literal", "referred"):
        sql = f"SELECT count((r).error) FROM (SELECT {model}('diary row ' || i) AS r FROM range(20) t(i))"
        assert [program.ask(sql)[:4] for _ in range(2)] == ["rows", "rows"]
    assert SECRET in str(service.requests()), "the key reached the service"

    wanted = ["requests_total", "errors_total", "tokens_total", "answer_seconds_total", "cache_hits_total"]
    wanted += ["money_total", "in_flight", "queue_length", "waiting"]
    deadline = time.monotonic() + 60
    while (missing := [name for name in wanted if f"quackllm_{name}" not in metrics(grounds)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(1)
    assert missing == []
    shown = metrics(grounds)
    program.end()
    lines = [line for line in shown.splitlines() if "quackllm_errors_total{" in line]
    assert any('Code="invalid_value"' in line or 'code="invalid_value"' in line for line in lines)

    service.script([{"fault": "wrong_key"}])
    with pytest.raises(quackllm.QuackLLMError) as refused:
        connection.execute("SELECT literal('another')").fetchall()
    events = logs(grounds)
    answered = [line for line in events if line["event"] == "answered"]
    assert {line["model"] for line in answered} == {"literal", "referred"}
    assert {line["event"] for line in events} >= {"started", "answered", "failed"}
    everything = {
        "logs": "\n".join(path.read_text("utf-8", "replace") for path in log_files(grounds)),
        "metrics": shown,
        "error": str(refused.value),
        "status": "".join(
            command("quackllm", "status", name, *json_flag, "--cluster", grounds.address).stdout
            for name in ("literal", "referred")
            for json_flag in ([], ["--json"])
        ),
        "state": command("ray", "list", "actors", "--detail", "--address", grounds.dashboard).stdout,
        "dashboard": page(f"{grounds.dashboard}/logical/actors") + page(f"{grounds.dashboard}/nodes?view=summary"),
        "processes": subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout,
    }
    assert "literal" in everything["status"]
    assert "Replica" in everything["state"]
    assert "Replica" in everything["dashboard"]
    assert [place for place, text in everything.items() if SECRET in text] == []
    assert "diary" not in everything["logs"], "no prompt text unless asked for"


def log_files(grounds: Grounds) -> list[Path]:
    folder = Path(grounds.cluster.head_node.get_logs_dir_path())
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".err", ".out", ".log")]


def logs(grounds: Grounds) -> list[dict]:
    lines = [line for path in log_files(grounds) for line in path.read_text("utf-8", "replace").splitlines()]
    return [json.loads(line) for line in lines if line.startswith('{"at"')]
