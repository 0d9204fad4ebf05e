"""`quackllm deploy -f models.yaml`: what the file says is brought about, whatever fails in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner, Result

import quackllm
from standin.fixtures import KEY, StandIn
from support.command_line import error_text

TWO = {"parrot": {"type": "echo"}, "slow": {"type": "echo", "infer_params": {"delay_seconds": 0.1}}}


def apply(path: Path, content: object, *words: str) -> Result:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return CliRunner().invoke(app, ["deploy", "-f", str(path), *words])


def deployed() -> list[str]:
    return [status.spec.name for status in quackllm.models()]


def test_the_models_of_a_file_are_deployed_and_the_second_time_nothing_changes(tmp_path: Path, home: Path) -> None:
    first = apply(tmp_path / "models.yaml", TWO)
    assert (first.exit_code, first.stdout) == (0, "parrot: deployed\nslow: deployed\n")
    kept = (home / "models.yaml").stat().st_mtime_ns
    again = apply(tmp_path / "models.yaml", TWO)
    assert (again.exit_code, again.stdout) == (0, "parrot: unchanged\nslow: unchanged\n")
    assert (home / "models.yaml").stat().st_mtime_ns == kept
    changed = apply(tmp_path / "models.yaml", {**TWO, "slow": {"type": "echo"}})
    assert changed.stdout == "parrot: unchanged\nslow: rolled out\n"


def test_prune_undeploys_what_the_file_does_not_hold(tmp_path: Path) -> None:
    apply(tmp_path / "models.yaml", TWO)
    assert apply(tmp_path / "models.yaml", {"parrot": TWO["parrot"]}).stdout == "parrot: unchanged\n"
    assert deployed() == ["parrot", "slow"]
    pruned = apply(tmp_path / "models.yaml", {"parrot": TWO["parrot"]}, "--prune")
    assert pruned.stdout == "parrot: unchanged\nslow: undeployed\n"
    assert deployed() == ["parrot"]
    assert apply(tmp_path / "models.yaml", "", "--prune").stdout == "parrot: undeployed\n"
    assert deployed() == []


def test_one_that_fails_hides_no_other_and_nothing_is_pruned(tmp_path: Path) -> None:
    quackllm.deploy("older", "echo")
    faults = {
        "typo": {"type": "echo", "num_worker": 2},
        "setting": {"type": "echo", "infer_params": {"delay_second": 1}},
        "nobody": {"type": "saas/qianwem"},
        "keyless": {"type": "saas/kimi"},
        "lower": {"type": "echo"},
        "empty": None,
        "named": {"name": "other", "type": "echo"},
    }
    result = apply(
        tmp_path / "models.yaml", {"alpha": {"type": "echo"}, **faults, "omega": {"type": "echo"}}, "--prune"
    )
    assert result.exit_code == 1
    assert deployed() == ["alpha", "older", "omega"]
    assert result.stdout == "alpha: deployed\nomega: deployed\nolder: not pruned: because of the failure above\n"
    printed = result.stderr
    for name in faults:
        assert f"{name}: failed: " in printed
    for hint in ("'num_workers'", "'delay_seconds'", "'qianwen'", "MOONSHOT_API_KEY", "lower_model", "with a type"):
        assert hint in printed


def test_a_key_is_read_where_it_is_named_and_shown_nowhere(
    tmp_path: Path, home: Path, service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = service.openai_params() | {"saas.api_key": "env:STANDIN_KEY"}
    content = {"chat": {"type": "openai", "infer_params": params}}
    without = apply(tmp_path / "models.yaml", content)
    assert (without.exit_code, "STANDIN_KEY is not set" in without.stderr) == (1, True)
    monkeypatch.setenv("STANDIN_KEY", KEY)
    result = apply(tmp_path / "models.yaml", content, "--json")
    assert json.loads(result.stdout) == [{"name": "chat", "outcome": "deployed", "why": "", "hint": ""}]
    assert KEY not in result.output + (home / "models.yaml").read_text()


def test_a_key_itself_is_taken_and_advised_against(tmp_path: Path, service: StandIn) -> None:
    result = apply(tmp_path / "models.yaml", {"chat": {"type": "openai", "infer_params": service.openai_params()}})
    assert result.stdout == "chat: deployed: the file contains an API key; env:NAME is safer\n"
    wrong = {"chat": {"type": "openai", "infer_params": {**service.openai_params(), "saas.api_kee": KEY}}}
    assert KEY not in apply(tmp_path / "models.yaml", wrong).output


def test_the_file_that_quackllm_keeps_is_such_a_file(home: Path) -> None:
    quackllm.deploy("parrot", "echo")
    result = CliRunner().invoke(app, ["deploy", "-f", str(home / "models.yaml")])
    assert result.stdout == "parrot: unchanged\n"


@pytest.mark.parametrize(
    ("content", "happened"),
    [
        ("parrot: {type: echo}\nparrot: {type: echo}", "'parrot' occurs twice"),
        ("parrot: {type: echo, type: echo}", "'type' occurs twice"),
        ("- parrot", "is not a mapping of names to models"),
        ("parrot: [", "is not YAML"),
        ("parrot: !!python/object:os.system {}", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing(content: str, happened: str, tmp_path: Path) -> None:
    quackllm.deploy("older", "echo")
    result = apply(tmp_path / "models.yaml", content, "--prune")
    assert result.exit_code == 1
    assert happened in error_text(result)
    assert deployed() == ["older"]


@pytest.mark.parametrize(
    ("words", "happened"),
    [
        ("deploy -f models.yaml parrot echo", "leave out all but --file"),
        ("deploy -f models.yaml -p saas.model=x", "leave out all but --file"),
        ("deploy -f nothing.yaml", "nothing.yaml cannot be read"),
        ("deploy parrot echo --prune", "deploy -f models.yaml --prune"),
    ],
)
def test_what_does_not_go_with_a_file(words: str, happened: str) -> None:
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 1
    assert happened in error_text(result)


def test_several_are_undeployed_and_one_that_is_not_there_is_said() -> None:
    for name in ("one", "two"):
        quackllm.deploy(name, "echo")
    result = CliRunner().invoke(app, ["undeploy", "one", "nothing", "two"])
    assert (result.exit_code, result.stdout) == (1, "one: undeployed\ntwo: undeployed\n")
    assert "nothing: failed: no model is called 'nothing'" in result.stderr
