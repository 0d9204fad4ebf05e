"""What every test gets: a home of its own, no key of the user's, no network but loopback, and the stand-in service."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest
from quackllm.udf.calls.async_store import close_store
from quackllm.workers.serving.local_fleet import local_fleet

pytest_plugins = ["standin.fixtures", "support.installed_engines", "support.tiny_models"]

# Ray reads these when it is imported, and its processes inherit them.
os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0", RAY_ENABLE_UV_RUN_RUNTIME_ENV="0")

# A run that a shell started in the background ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SECRET_ENDINGS = ("_API_KEY", "_TOKEN", "_proxy", "_PROXY")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file in one process of a parallel run, and all tests with Ray in the same: two Rays would meet."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if item.get_closest_marker("ray") else item.location[0]))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty QUACKLLM_HOME, and an environment without the user's keys and proxies."""
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("QUACKLLM_HOME", str(path))
    for name in os.environ:
        if name.endswith(SECRET_ENDINGS):
            monkeypatch.delenv(name)
    yield path
    local_fleet().close()
    close_store(path)


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Refuse every connection of this process that would leave the machine."""
    own = {address.address for group in psutil.net_if_addrs().values() for address in group}
    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex"):
            patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method), own))
        yield


def _guarded(original: Any, own: set[str]) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        # A datagram socket sends nothing when it connects: Ray finds this machine's own address that way.
        if self.family != socket.AF_UNIX and self.type & socket.SOCK_STREAM and not _is_here(address[0], own):
            raise PermissionError(f"a test tried to reach {address[0]}: only loopback is open")
        return original(self, address)

    return connect


def _is_here(host: str, own: set[str]) -> bool:
    return host in own or host in ("localhost", "::1") or host.startswith("127.")
