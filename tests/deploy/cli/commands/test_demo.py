from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from quackllm.deploy.cli.commands.demo import QUESTIONS, SCENES

RUN = "from quackllm.deploy.cli.main import app; app()"


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    wide = {**os.environ, "COLUMNS": "160"}
    argv = [sys.executable, "-c", RUN, "demo", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=150, env=wide)


@pytest.mark.ray
def test_the_demo_shows_each_scene_and_counts_what_is_right(home: Path) -> None:
    done = demo("--seed", "2", "--database", "pets_1", "--ray")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(scene.title in done.stdout for scene in SCENES)
    assert re.search(r"How many pilots fly to Boston\? +NULL +\w", done.stdout), "a declined row has its reason"
    marks = [line.split()[0] for line in done.stdout.splitlines() if line.strip().startswith(("✓", "✗"))]
    assert len(marks) == QUESTIONS
    tally = f"Right: {marks.count('✓')} of 10, through Ray {marks.count('✓')} of 10."
    assert tally in done.stdout
    assert not list(home.iterdir()), "the user's own folder is left alone"


def test_an_unknown_database() -> None:
    done = demo("--database", "nothing")
    assert done.returncode == 1
    assert "no database 'nothing'" in done.stderr
    assert "Traceback" not in done.stderr
