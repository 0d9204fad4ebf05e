"""`quackllm doctor --cluster`: a head that asks for a token, and one that lets us in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from grounds import MARKS, command, wait_until
from heads import HERE, Node, free_port

pytestmark = MARKS


def findings(*words: str) -> tuple[int, list[dict[str, str]]]:
    done = command("quackllm", "doctor", "--json", *words)
    return done.returncode, json.loads(done.stdout)


def test_a_head_that_asks_for_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert command("ray", "get-auth-token", "--generate").returncode == 0
    head = Node(f"{HERE}:{free_port()}", head=True)
    head.start()
    try:
        # A busy machine's head may answer, and end because its node was late.
        wait_until(lambda: head._up() and findings("--cluster", head.address)[0] == 0, seconds=180)
        assert command("quackllm", "deploy", "parrot", "echo", "--cluster", head.address).returncode == 0
        code, found = findings("--cluster", head.address, "--ask", "--model", "parrot")
        assert code == 0, found
        assert any(one["subject"] == "parrot" and "it answered" in one["message"] for one in found)
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        code, found = findings("--cluster", head.address)
        assert code == 1
        assert any(
            "asks for a token, and RAY_AUTH_MODE is disabled here" in one["message"] and "the same on" in one["type"]
            for one in found
        ), found
    finally:
        head.kill()
