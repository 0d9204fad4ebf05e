"""A key that is typed leaves the process list, and still arrives."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from quackllm.deploy.cli.argv import secret_value

KEY = "sk-0123456789 with a space, (hidden) and ünicode"
SCRIPT = Path(sys.executable).with_name("quackllm")


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot start over under its own number there")
@pytest.mark.parametrize("command", [[SCRIPT], [sys.executable, "-m", "quackllm"]], ids=["script", "module"])
def test_a_key_leaves_the_process_list_and_the_word_arrives_whole(command: list[str]) -> None:
    words = [*command, "chat", "echo", f"saas.api_key={KEY}", "x=(hidden)", "-"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        process, deadline = psutil.Process(running.pid), time.monotonic() + 60
        while "saas.api_key=(hidden)" not in process.cmdline():
            assert time.monotonic() < deadline, "the key stands on the process list still"
            time.sleep(0.05)
        assert KEY not in " ".join(process.cmdline())
        answer, _ = running.communicate("piped", timeout=60)
    assert answer == f"echo: saas.api_key={KEY} x=(hidden)\n\npiped\n"


@pytest.mark.parametrize(
    ("word", "secret"),
    [
        ("saas.api_key=sk-1", "sk-1"),
        ("-psaas.api_key=sk-1", "sk-1"),
        ("--infer-params=saas.api_key=sk-1=", "sk-1="),
        ("saas.headers={X-Team: hush}", "{X-Team: hush}"),
        ("api_key=sk-1", "sk-1"),
        ("saas.api_key=env:NAME", None),
        ("saas.api_key=file:/run/secrets/x", None),
        ("saas.api_key=", None),
        ("saas.model=qwen-max", None),
        ("hello", None),
        ("SELECT api_key = 'x'", None),
    ],
)
def test_what_is_a_key(word: str, secret: str | None) -> None:
    assert secret_value(word) == secret
