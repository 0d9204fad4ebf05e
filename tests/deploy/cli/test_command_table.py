"""The table of commands: what the help says without loading them, and how fast."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from quackllm.deploy import terminal_output
from quackllm.deploy.cli.command_table import COMMANDS
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner

SCRIPT = Path(sys.executable).with_name("quackllm")
HEAVY = {"pydantic", "duckdb", "pyarrow", "numpy", "ray", "torch", "openai", "sqlglot"}


def help_of(name: str) -> str:
    return CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_how_the_commands_own_help_begins(name: str) -> None:
    command = COMMANDS[name]
    documentation = inspect.getdoc(
        getattr(import_module(f"quackllm.deploy.cli.commands.{command.module}"), command.function)
    )
    assert documentation
    assert documentation.startswith(command.summary.removesuffix("."))


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.hidden and name != "demo"])
def test_the_help_teaches_by_examples_that_can_be_copied(name: str) -> None:
    lines = [line.strip() for line in help_of(name).splitlines()]
    assert any(re.match(rf"(.*\| )?quackllm {name}\b", line) for line in lines)
    assert not [line for line in lines if line.count(f"quackllm {name} ") > 1], (
        "typer joins examples that follow the summary"
    )


def joined(text: str) -> list[str]:
    """The lines of a text, those together that a shell reads together."""
    return [line.strip() for line in re.sub(r" \\\s*\n\s*", " ", text).splitlines()]


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.hidden])
def test_an_example_that_is_longer_than_the_screen_can_be_copied(name: str) -> None:
    command = COMMANDS[name]
    function = getattr(import_module(f"quackllm.deploy.cli.commands.{command.module}"), command.function)
    examples = [
        line for line in joined(inspect.getdoc(function) or "") if re.match(rf"(.*\| )?quackllm {name}\b", line)
    ]
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"}).output
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert set(examples) <= set(joined(shown))


def test_the_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom quackllm.deploy.cli.main import app\n"
        "try: app(['--help'])\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "text2sql" in done.stdout
    assert not HEAVY & set(done.stderr.split())


@pytest.mark.parametrize("command", [[SCRIPT], [sys.executable, "-m", "quackllm"]], ids=["script", "module"])
def test_it_runs_by_its_name_and_as_a_module(command: list[str]) -> None:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("quackllm ")


def test_a_command_that_is_not_there_names_the_near_one() -> None:
    result = CliRunner().invoke(app, ["deplyo"])
    assert result.exit_code == 2
    assert "deploy" in result.stderr


def test_the_shell_completes_commands_and_the_names_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    CliRunner().invoke(app, ["deploy", "parrot", "echo"])
    for words, expected in (
        ("quackllm te", "text2sql"),
        ("quackllm chat pa", "parrot"),
        ("quackllm undeploy ", "parrot"),
        ("quackllm deploy --num-w", "--num-workers"),
    ):
        asked = {"_QUACKLLM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        result = CliRunner().invoke(app, [], env=asked, prog_name="quackllm")
        assert expected in result.output.split()


def test_completion_is_offered() -> None:
    output = CliRunner().invoke(app, ["--help"]).output
    assert "--install-completion" in output
    assert "<bool>" not in output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_shows_every_flag_whole_on_80_columns(name: str) -> None:
    output = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"}).output
    options = re.sub(r"\s+", "", output.replace("│", " "))
    for param in COMMANDS[name].load(name).params:
        for flag in (*param.opts, *param.secondary_opts):
            assert not flag.startswith("-") or re.search(rf"(^|\W){flag}(\W|$)", output) or flag in options
    assert not re.search(r"--[\w-]*…", output)
    assert "<bool>" not in output


def test_tables_show_names_whole_on_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["codellama_7b_instruct_for_chat", "codellama_7b_instruct_for_sql"]
    for name in names:
        CliRunner().invoke(app, ["deploy", name, "echo"])
    monkeypatch.setattr(terminal_output.stdout, "_width", 80)
    piped = CliRunner().invoke(app, ["list"]).output
    assert [len([line for line in piped.splitlines() if f" {name} " in line and "echo" in line]) for name in names] == [
        1,
        1,
    ]
    monkeypatch.setattr(terminal_output.stdout, "_force_terminal", True)
    blocks = re.sub("\x1b\\[[0-9;]*m", "", CliRunner().invoke(app, ["list"]).output)
    assert re.findall(r"name +(\w+)", blocks) == names
    assert max(map(len, blocks.splitlines())) <= 80
