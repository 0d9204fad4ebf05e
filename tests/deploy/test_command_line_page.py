"""Every command of the page on the command line is typed into a shell, and prints what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import quackllm
from standin.fixtures import KEY, StandIn

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
BLOCK = re.compile(r"^```(?P<kind>bash|text)\n(?P<code>.*?)^```$|^<!-- setup\n(?P<setup>.*?)^-->$", re.M | re.S)


def blocks() -> Iterator[tuple[str, str]]:
    for match in BLOCK.finditer(PAGE.read_text("utf-8")):
        yield ("setup", match["setup"]) if match["setup"] else (match["kind"], match["code"])


def shell(script: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "RAY_AUTH_MODE": "disabled", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_of_the_page_prints_what_the_page_shows(
    service: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    printed = ""
    for kind, code in blocks():
        if kind == "setup":
            exec(code, {"quackllm": quackllm, "service": service})
        elif kind == "bash":
            printed = shell(code, tmp_path)
        else:
            assert printed.strip() == code.strip()
