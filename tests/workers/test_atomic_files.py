"""A file or folder gets its name only when it is complete, and its permissions from the first byte."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from quackllm.workers.atomic_files import atomic_write, atomic_write_text, draft_path


def write_half(path: Path) -> None:
    with atomic_write(path) as draft:
        draft.write_text("half")
        raise ZeroDivisionError


def test_a_file_is_replaced_when_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "report.json"
    path.parent.mkdir()
    atomic_write_text(path, "old")
    with pytest.raises(ZeroDivisionError):
        write_half(path)
    assert path.read_text() == "old"
    atomic_write_text(path, "né")
    assert path.read_bytes() == "né".encode()
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "final"
    draft_path(folder).mkdir(parents=True)
    (draft_path(folder) / "left").touch()
    with atomic_write(folder) as draft:
        draft.mkdir()
        (draft / "weights").touch()
    assert list(folder.parent.rglob("*")) == [folder, folder / "weights"]


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    with pytest.raises(OSError), atomic_write(tmp_path / "model") as draft:
        draft.mkdir()
    assert (tmp_path / "model" / "mine").exists()


def test_a_secret_is_readable_by_its_owner_alone_from_the_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.touch(mode=0o644)
    atomic_write_text(path, "sk-1", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
