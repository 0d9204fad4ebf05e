"""`ray job submit -- quackllm …` against a running head: the third way in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psutil
import pytest

import quackllm
from standin.fixtures import StandIn
from support.ray_cluster import BIN, MARKS, Grounds, command, running_cluster, wait_until

pytestmark = MARKS
SQL = "SELECT i, llm_result(chat(s)) AS answer FROM input WHERE i % 7 > 0"


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    head = {"include_dashboard": True, "dashboard_host": "127.0.0.1", "dashboard_port": 0}
    with running_cluster(tmp_path_factory.mktemp("jobs"), 2, **head) as running:
        yield running


def submit(grounds: Grounds, *words: str) -> tuple[int, str]:
    """Submit a job and follow it to its end; return the exit code and its log."""
    line = ["ray", "job", "submit", "--address", grounds.dashboard, "--", str(BIN / words[0]), *words[1:]]
    done = command(*line)
    return done.returncode, done.stdout + done.stderr


def parquet(folder: Path, rows: int, word: str = "row") -> str:
    for number in range(3):
        part = f"SELECT {number} * {rows} + i AS i, '{word} ' || ({number} * {rows} + i) AS s FROM range({rows}) t(i)"
        duckdb.execute(f"COPY ({part}) TO '{folder}/in{number}.parquet' (ROW_GROUP_SIZE 2048)")
    return f"{folder}/in*.parquet"


def rows_of(path: Path) -> list[tuple[int, str]]:
    return duckdb.execute(f"FROM '{path}'").fetchall()


def deploy(grounds: Grounds, folder: Path, service: StandIn, at_once: int = 32) -> None:
    listed = "\n".join(f"    {key}: {value}" for key, value in service.openai_params().items())
    file = folder / "models.yaml"
    file.write_text(f"chat:\n  type: openai\n  worker_concurrency: {at_once}\n  infer_params:\n{listed}\n")
    code, log = submit(grounds, "quackllm", "deploy", "-f", str(file))
    assert (code, "chat: deployed" in log) == (0, True), log


def test_a_job_deploys_and_a_batch_is_whole_or_in_blocks(
    grounds: Grounds, connection: quackllm.Connection, service: StandIn, tmp_path: Path
) -> None:
    deploy(grounds, tmp_path, service)
    source, files = parquet(tmp_path, 400), ["--in", f"{tmp_path}/in*.parquet", "--sql", SQL]
    code, log = submit(grounds, "quackllm", "run", *files, "--out", str(tmp_path / "plain.parquet"))
    assert code == 0, log
    assert "made 1,028 calls" in log
    assert service.count() == 1028
    plain = rows_of(tmp_path / "plain.parquet")
    assert plain == [(i, f"answer to: row {i}") for i in range(1200) if i % 7]
    connection.execute("SELECT llm_forget()").fetchall()
    service.reset()
    code, log = submit(grounds, "quackllm", "run", "--blocks", "4", *files, "--out", str(tmp_path / "blocks.parquet"))
    assert code == 0, log
    assert "4 of 4 blocks" in log
    assert rows_of(tmp_path / "blocks.parquet") == plain
    assert service.count() == 1028, "the blocks share the model's actors and one call store"
    assert source


def test_a_job_killed_at_half_and_submitted_again_pays_only_the_rest(
    grounds: Grounds, connection: quackllm.Connection, service: StandIn, tmp_path: Path
) -> None:
    deploy(grounds, tmp_path, service, at_once=16)
    service.script([{"fault": "slow", "seconds": 0.05}])
    source, out = parquet(tmp_path, 700, "other"), tmp_path / "out.parquet"
    words = ["quackllm", "run", "--in", source, "--sql", SQL, "--out", str(out)]
    first: list[tuple[int, str]] = []
    job = threading.Thread(target=lambda: first.append(submit(grounds, *words)))
    job.start()
    wait_until(lambda: service.count() > 900)
    there = psutil.process_iter(["cmdline"])
    (running,) = (process for process in there if (process.info["cmdline"] or [])[2:] == words[1:])
    running.kill()
    job.join()
    assert first[0][0] != 0, first[0][1]
    assert not out.exists()
    code, log = submit(grounds, *words)
    assert code == 0, log
    assert rows_of(out) == [(i, f"answer to: other {i}") for i in range(2100) if i % 7]
    assert service.count() < 2100, "what was in flight is asked again; without the store it would have been 2700"


def test_a_job_says_how_it_went(grounds: Grounds, connection: quackllm.Connection, tmp_path: Path) -> None:
    quackllm.deploy("chat", "echo", cluster=grounds.address)
    script = tmp_path / "nightly.sql"
    script.write_text("CREATE TABLE t AS SELECT * FROM (VALUES ('a'), ('')) v(s);\nSELECT (chat(s)).error FROM t")
    code, log = submit(grounds, "quackllm", "run", str(script))
    assert code != 0
    assert "1 × empty_prompt" in log
    assert "exit code 3" in log
    code, log = submit(grounds, "quackllm", "run", "--sql", "SELECT nothing_chat('x')")
    assert code != 0
    assert "nothing_chat" in log


def test_blocks_that_fail_say_why(grounds: Grounds, connection: quackllm.Connection, tmp_path: Path) -> None:
    files = ["--in", parquet(tmp_path, 100), "--out", str(tmp_path / "out.parquet"), "--cluster", grounds.address]
    done = command("quackllm", "run", "--blocks", "2", *files, "--sql", "SELECT llm_chat('nobody', s) FROM input")
    assert done.returncode == 1
    assert "no model is called 'nobody'" in done.stderr
    assert f"quackllm list --cluster {grounds.address}" in " ".join(done.stderr.split())
    done = command("quackllm", "run", "--blocks", "2", *files, "--sql", "SELECT count(*) FROM input")
    assert done.returncode == 1
    assert "cannot be split into blocks: count(…) over many rows" in " ".join(done.stderr.replace("│", " ").split())
