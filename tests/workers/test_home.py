"""QUACKLLM_HOME belongs to its owner alone: prompts, answers, keys and passwords lie there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from quackllm.deploy.cli.line_input import read_inputs
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.deploy.gateway.auth.usage_ledger import Ledger
from quackllm.workers.home import home_folder

import quackllm

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def use(home: Path) -> None:
    """Write every kind of file that quackllm writes into its home."""
    with quackllm.connect() as connection:
        quackllm.deploy("parrot", "echo")
        quackllm.deploy("seller", "saas/openai", infer_params={"saas.api_key": "sk-secret", "saas.model": "m"})
        connection.execute("SELECT llm_result(parrot('a secret prompt'))").fetchall()
        add_key(home / "keys.yaml", "guest")
        Ledger(home / "keys.yaml", home / "gateway.sqlite").admit(None)
        next(read_inputs("chat", "> ", "… ", bool), None)


def open_to_others(home: Path) -> list[str]:
    """Return what others may read, with its mode."""
    found = [home, *home.rglob("*")]
    return [f"{path} {path.stat().st_mode:o}" for path in found if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]


def test_nobody_else_reads_a_new_home_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_umask: None
) -> None:
    home = tmp_path / "new"
    monkeypatch.setenv("QUACKLLM_HOME", str(home))
    use(home)
    names = {path.name for path in home.rglob("*")}
    assert {
        "calls.sqlite",
        "models.yaml",
        "seller.saas.api_key",
        "keys.yaml",
        "gateway.sqlite",
        "chat_history",
    } <= names
    assert open_to_others(home) == []


def test_a_home_of_before_keeps_its_contents_and_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_umask: None
) -> None:
    home = tmp_path / "old"
    monkeypatch.setenv("QUACKLLM_HOME", str(home))
    use(home)
    (home / "databases.yaml").write_text("shop: postgresql://reader:secret@db/shop\n")
    (home / "notes.txt").write_text("the user's own")
    for path in (home, *home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setenv("QUACKLLM_HOME", "old/../old")  # Another name, as another process would have none of the caches.
        assert quackllm.connect().execute("SELECT llm_result(parrot('a secret prompt'))").fetchall()
        assert {"parrot", "seller"} <= {status.spec.name for status in quackllm.models()}
    assert open_to_others(home) == [f"{home / 'notes.txt'} 100644"]
    assert (home / "notes.txt").read_text() == "the user's own"
    assert (home / "databases.yaml").read_text().startswith("shop:")


def test_a_folder_that_many_use_is_left_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("QUACKLLM_HOME", str(shared))
    assert home_folder() == shared
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
