from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


def test_the_network_is_closed() -> None:
    with pytest.raises(PermissionError, match=r"only loopback is open"), socket.socket() as outside:
        outside.connect(("192.0.2.1", 80))


def test_loopback_is_open() -> None:
    with socket.socket() as listening, socket.socket() as calling:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        calling.connect(listening.getsockname())


def test_each_test_has_a_home(home: Path, tmp_path: Path) -> None:
    assert os.environ["QUACKLLM_HOME"] == str(home)
    assert home.is_relative_to(tmp_path)
    assert not list(home.iterdir())
