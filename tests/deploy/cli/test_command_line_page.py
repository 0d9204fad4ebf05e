"""Every command of the page on the command line, English and Chinese, is typed, and prints what the page shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner

import quackllm
from standin.fixtures import KEY, StandIn

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```(?P<kind>bash|text)\n(?P<code>.*?)^```$|^<!-- setup\n(?P<setup>.*?)^-->$", re.M | re.S)
FILE = r"cat > (?P<file>\S+) <<'END'\n(?P<content>.*?)^END$"
COMMAND = r"(?:echo \"(?P<piped>[^\"\n]*)\" \| )?quackllm (?P<words>[^\n]+)"
STEP = re.compile(f"{FILE}|{COMMAND}", re.M | re.S)


def blocks(page: str) -> Iterator[tuple[str, str]]:
    for match in BLOCK.finditer((DOCS / page).read_text("utf-8")):
        yield ("setup", match["setup"]) if match["setup"] else (match["kind"], match["code"])


def typed(code: str) -> str:
    """Do what a block says, and return what is printed: files are written, and commands run."""
    assert not STEP.sub("", code).strip(), "the page holds a step that this test does not know"
    printed = ""
    for step in STEP.finditer(code):
        if step["file"]:
            Path(step["file"]).write_text(step["content"])
        else:
            done = CliRunner().invoke(app, shlex.split(step["words"]), input=step["piped"])
            assert done.exit_code == 0, f"{step[0]}\n{done.output}"
            printed += done.stdout
    return printed


@pytest.mark.parametrize("page", ["command-line.md", "command-line.zh.md"])
def test_every_command_of_the_page_prints_what_the_page_shows(
    page: str, service: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.chdir(tmp_path)
    printed = ""
    for kind, code in blocks(page):
        if kind == "setup":
            exec(code, {"quackllm": quackllm, "service": service})
        elif kind == "bash":
            printed = typed(code)
        else:
            assert printed.strip() == code.strip()
