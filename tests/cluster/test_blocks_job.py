"""`quackllm run` on a cluster: whole, in blocks, and as a Ray job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import quackllm
from conftest import Grounds, running_cluster

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with running_cluster(tmp_path_factory.mktemp("blocks"), 2) as running:
        yield running


def test_blocks_give_what_one_process_gives(grounds: Grounds, tmp_path: Path) -> None:
    print(grounds.address)
    quackllm.deploy("chat", "echo", cluster=grounds.address)
    for number in range(3):
        duckdb.execute(
            f"COPY (SELECT {number} * 500 + i AS i, 'row ' || i AS s FROM range(500) t(i)) TO '{tmp_path}/in{number}.parquet'"
        )
    sql = "SELECT i, llm_result(chat(s)) AS answer FROM input WHERE i % 7 > 0"
    for name, blocks in (("plain", []), ("blocks", ["--blocks", "4"])):
        done = grounds.command(
            "run",
            "--in",
            f"{tmp_path}/in*.parquet",
            "--out",
            f"{tmp_path}/{name}.out.parquet",
            "--sql",
            sql,
            "--cluster",
            grounds.address,
            *blocks,
        )
        print(done.stdout, done.stderr)
        assert done.returncode == 0
    plain, parts = (duckdb.execute(f"FROM '{tmp_path}/{name}.out.parquet'").fetchall() for name in ("plain", "blocks"))
    assert plain == parts
