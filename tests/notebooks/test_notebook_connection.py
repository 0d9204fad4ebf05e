"""The database that `%quackllm` opens."""

from __future__ import annotations

from pathlib import Path

from support.locked_database import opened_elsewhere


def test_a_database_that_another_process_has_open(notebook, tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with opened_elsewhere(path) as pid:
        panel = notebook.panel(f"%quackllm {path}")
    assert f"is open in the process {pid}" in panel
    assert f"%quackllm {path} --read-only" in panel
    assert "Could not set lock" not in panel


def test_several_processes_read_one_database(notebook, tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with opened_elsewhere(path, "reading"):
        notebook.panel(f"%quackllm {path}")
        notebook.run_ok(f"%quackllm {path} --read-only --model echo")
        assert "1" in notebook.run_ok("%sql FROM item").text
        assert "read-only" in notebook.panel("%sql INSERT INTO item VALUES (2)")


def test_read_only_needs_a_database(notebook) -> None:
    assert "%quackllm shop.duckdb --read-only" in notebook.panel("%quackllm --read-only")
