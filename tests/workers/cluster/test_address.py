"""Where Ray is reached, and that what died is noticed at once."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import ray
from quackllm.workers.cluster.address import resolve_address, version_mismatch
from ray._private.utils import check_version_info

LEFT = "ray_current_cluster"  # The file that still holds a head's address after the head was killed.


@pytest.fixture(autouse=True)
def folder_of_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray"


def test_without_a_cluster_ray_is_started():
    assert resolve_address(None) is None
    assert resolve_address("local") == "local"


def test_a_head_that_was_killed_is_not_waited_for_but_ray_started(folder_of_ray: Path):
    (folder_of_ray / LEFT).write_text("127.0.0.1:1")
    assert resolve_address(None) == "local"


def test_a_head_that_lives_is_used(folder_of_ray: Path):
    here = ray.util.get_node_ip_address()
    with socket.create_server((here, 0)) as head:
        address = f"{here}:{head.getsockname()[1]}"
        (folder_of_ray / LEFT).write_text(address)
        assert resolve_address(None) == resolve_address("auto") == resolve_address(address)


@pytest.mark.parametrize("named", ["127.0.0.1:1", "auto"])
def test_a_cluster_that_was_asked_for_and_is_dead_is_an_error(folder_of_ray: Path, named: str):
    (folder_of_ray / LEFT).write_text("127.0.0.1:1")
    with pytest.raises(ConnectionError, match="refused"):
        resolve_address(named)


def test_the_environment_s_cluster_is_asked_for_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ConnectionError, match="refused"):
        resolve_address(None)
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:1")
    assert resolve_address(None) == resolve_address("auto") == "ray://127.0.0.1:1"


def test_versions_that_differ_are_named_in_one_line():
    with pytest.raises(RuntimeError) as raised:
        check_version_info({"ray_version": "2.59.0", "python_version": "3.11.1"}, "127.0.0.1")
    versions = version_mismatch(f"Traceback\nRuntimeError: {raised.value}\n\nnoise")
    assert versions is not None
    assert versions.startswith("The cluster was started with: Ray: 2.59.0 Python: 3.11.1 This process")
    assert "\n" not in versions
    assert "noise" not in versions


def test_another_error_is_no_difference_of_versions():
    assert version_mismatch("RuntimeError: out of memory") is None
