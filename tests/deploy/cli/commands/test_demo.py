from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = "from quackllm.deploy.cli.main import app; app()"


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN, "demo", *words], capture_output=True, text=True, timeout=150)


@pytest.mark.ray
def test_the_demo_shows_each_way_to_ask(home: Path) -> None:
    done = demo("--seed", "2", "--database", "pets_1")
    assert (done.returncode, done.stderr) == (0, "")
    for heading in ("In this process", "through Ray: two replicas", "Follow-up questions", "The answer itself"):
        assert heading in done.stdout
    assert all(f"\n{number}. " in done.stdout for number in range(1, 11))
    assert "of 10 in this process" in done.stdout
    assert not list(home.iterdir()), "the user's own folder is left alone"


def test_an_unknown_database() -> None:
    done = demo("--database", "nothing")
    assert done.returncode == 1
    assert "no database 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr
