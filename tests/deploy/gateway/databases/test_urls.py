"""URLs of databases: what reaches the process that opens them means the same there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from pydantic import SecretStr
from quackllm.deploy.gateway.databases.registry import open_database
from quackllm.deploy.gateway.databases.urls import resolve_url


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_relative_path_is_made_absolute(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    resolved = resolve_url(SecretStr(f"{kind}:///shop.db"), "shop").get_secret_value()
    assert resolved == f"{kind}:///{tmp_path / 'shop.db'}"


def test_a_file_is_found_from_a_process_that_started_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):  # The second one meets a process that the first one has started.
        folder = tmp_path / str(number)
        folder.mkdir()
        with sqlite3.connect(folder / "shop.sqlite") as shop:
            shop.execute("CREATE TABLE t AS SELECT ? AS n", [number])
        monkeypatch.chdir(folder)
        database = open_database(SecretStr("sqlite:///shop.sqlite"), "shop")
        assert list(database.run("SELECT n FROM t", 1).rows) == [f"[{number}]"]
        database.close()
