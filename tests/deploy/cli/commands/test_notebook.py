"""The examples are copied to the user's folder, and what is there stays."""

from __future__ import annotations

from pathlib import Path

from quackllm.deploy.cli.commands.notebook import EXAMPLES
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner


def copy(folder: Path) -> str:
    result = CliRunner().invoke(app, ["notebook", str(folder), "--copy-only"])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_new_folder_gets_all_examples(tmp_path: Path) -> None:
    copy(tmp_path / "mine")
    names = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))
    assert len(names) >= 7
    assert sorted(path.name for path in (tmp_path / "mine").glob("*.ipynb")) == names
    assert (tmp_path / "mine" / "story" / "linked" / "prompt.py").exists()


def test_a_changed_copy_stays_and_a_deleted_one_comes_back(tmp_path: Path) -> None:
    copy(tmp_path)
    changed, deleted = sorted(tmp_path.glob("*.ipynb"))[:2]
    changed.write_text("changed", "utf-8")
    deleted.unlink()
    copy(tmp_path)
    assert changed.read_text("utf-8") == "changed"
    assert deleted.exists()
    assert "there already" in copy(tmp_path)
