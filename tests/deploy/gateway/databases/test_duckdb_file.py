"""A DuckDB file that another process writes to: we wait for its lock for a moment, and no longer."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread

import pytest
from quackllm.deploy.gateway.databases import duckdb_file
from quackllm.deploy.gateway.databases.duckdb_file import DuckDBFile
from quackllm.workers.errors import DatabaseError

from support.locked_database import opened_elsewhere


def test_a_query_waits_until_another_process_has_written(tmp_path: Path) -> None:
    path, opened, leave = tmp_path / "shop.duckdb", Event(), Event()

    def write() -> None:
        with opened_elsewhere(path):
            opened.set()
            leave.wait(10)

    writer = Thread(target=write)
    writer.start()
    assert opened.wait(20)
    Thread(target=lambda: (time.sleep(0.3), leave.set())).start()
    begun = time.monotonic()
    assert DuckDBFile(path).run("SELECT id FROM item", 10).rows == ("[1]",)
    assert time.monotonic() - begun > 0.25, "the lock was there"
    writer.join()


def test_a_query_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_file, "LOCK_SECONDS", 0.2)
    path = tmp_path / "shop.duckdb"
    with (
        opened_elsewhere(path),
        pytest.raises(DatabaseError, match="another process has been writing to"),
    ):
        DuckDBFile(path).run("SELECT id FROM item", 10)
