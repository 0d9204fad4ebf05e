"""`quackllm finetune`, `pretrain` and `merge`, as they are typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from quackllm.deploy.cli.main import app
from quackllm.workers.training import FinetuneSettings, MergeSettings, PretrainSettings
from typer.testing import CliRunner, Result

import quackllm
from support.tiny_llama import make_model, write_chats, write_lines

pytest.importorskip("trl")

KINDS = {"finetune": FinetuneSettings, "pretrain": PretrainSettings, "merge": MergeSettings}
FAST = "--max-seq-length 128 --max-steps 2 --gradient-accumulation-steps 1 --logging-steps 1 --learning_rate 1e-2"


def run(line: str) -> Result:
    return CliRunner().invoke(app, line.split(), env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base") / "tiny", max_position_embeddings=1024)


@pytest.mark.parametrize("command", KINDS)
def test_the_help_has_every_setting_with_its_meaning(command: str) -> None:
    text = re.sub(r"\s+", " ", run(f"{command} --help").output.replace("│", " "))
    for name, field in KINDS[command].model_fields.items():
        assert f"--{name.replace('_', '-')} " in text
        assert (field.description or "").split("`")[0].split(";")[0].strip()[:25] in text
    assert f"quackllm {command} " in text


@pytest.mark.filterwarnings("ignore:1 request got no complete answer")  # A model of random weights may not end.
def test_from_questions_to_an_answer_in_sql(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_chats(tmp_path / "train.jsonl")
    (tmp_path / "run.yaml").write_text(f"model_name: {base}\ntrain_file: nothing.jsonl\nlora_rank: 4\n")
    trained = run(f"finetune --settings run.yaml --train_file train.jsonl --output_dir runs/sql {FAST}")
    assert trained.exit_code == 0, trained.output
    assert "2 steps, loss " in trained.output
    assert json.loads(Path("runs/sql/training.json").read_text())["settings"]["lora_rank"] == 4
    merge = re.search(r"quackllm (merge .*)", trained.output)
    assert merge
    merged = run(merge[1])
    assert merged.exit_code == 0, merged.output
    deploy = re.search(r"quackllm (deploy .*)", merged.output)
    assert deploy
    assert run(f"{deploy[1]} -p backend.max_tokens=4").exit_code == 0
    answer = quackllm.connect().execute("SELECT my_sql('How many singers are there?')").fetchone()
    assert answer is not None
    assert answer[0]["usage"]["output_tokens"] > 0


def test_questions_with_their_sql_are_asked_as_text2sql_asks(base: Path, tmp_path: Path) -> None:
    schema = "CREATE TABLE singer (name VARCHAR, age INTEGER)"
    rows: list[Any] = [
        {"question": "How many singers are there?", "schema": schema, "sql": "SELECT count(*) FROM singer"},
        {"question": "Who?", "schema": schema, "sql": "SELECT nothing FROM singer"},
    ]
    data = write_lines(tmp_path / "train.jsonl", rows)
    result = run(
        f"finetune --model-name {base} --train-file {data} --output-dir {tmp_path}/run {FAST} --max-seq-length 1024"
    )
    assert result.exit_code == 0, result.output
    assert "1 row bad, and left out" in result.output
    assert "line 2: binder" in result.output
    assert merged_command(f"{tmp_path}/run", tmp_path / "merged").endswith("-p prompt_form=chat")


def merged_command(adapter: str, target: Path) -> str:
    """Merge an adapter, and return the command that deploys the result."""
    merged = run(f"merge --adapter {adapter} --output-dir {target}")
    assert merged.exit_code == 0, merged.output
    return merged.output.splitlines()[-1]


def test_the_prompt_form_goes_from_the_data_to_the_command_that_deploys(base: Path, tmp_path: Path) -> None:
    rows = [{"question": "How many?", "schema": "CREATE TABLE t (a INTEGER)", "sql": "SELECT count(*) FROM t"}]
    write_lines(tmp_path / "rows.jsonl", rows)
    train, form = tmp_path / "train.jsonl", "sqlcoder"
    prepared = run(f"prepare {tmp_path}/rows.jsonl --prompt-form {form} --out {train}")
    assert prepared.exit_code == 0, prepared.output
    line = f"finetune --model-name {base} --train-file {train} --output-dir {tmp_path}/run {FAST} --max-seq-length 1024"
    trained = run(line)
    assert trained.exit_code == 0, trained.output
    assert merged_command(f"{tmp_path}/run", tmp_path / "merged").endswith(f"-p prompt_form={form}")


def test_bad_rows_are_counted_and_named(base: Path, tmp_path: Path) -> None:
    data = write_chats(tmp_path / "train.jsonl", 4)
    data.write_text(data.read_text() + '{"messages": []}\n{\n')
    result = run(f"finetune --model-name {base} --train-file {data} --output-dir {tmp_path}/run {FAST}")
    assert result.exit_code == 0, result.output
    assert "2 rows bad, and left out:\n  line 5: no turn at all\n  line 6: not JSON" in result.output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("finetune --train-file {data}", "model_name is missing"),
        ("finetune --model-name /nowhere/m --train-file {data}", "there is no model folder /nowhere/m"),
        ("finetune --model-name {base} --train-file {data} --output-dir {data}", "cannot be written"),
        ("finetune --model-name {base} --train-file {data}.jsonl", "there is no data file"),
        ("merge --adapter /nowhere --output-dir out", "there is no folder /nowhere"),
    ],
)
def test_an_error_is_one_panel_that_says_what_to_type(
    line: str, message: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(line.format(base=base, data=write_chats(tmp_path / "train.jsonl")))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Error" in result.stderr
    assert not Path("output/final").exists()


def test_pretraining_is_typed_too(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a duck swims on the pond\n\n" * 200)
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1})
    )
    line = f"pretrain --config {tmp_path}/config.json --vocab-size 300 --train-file {tmp_path}/text.txt"
    result = run(f"{line} --output-dir {tmp_path}/own {FAST}")
    assert result.exit_code == 0, result.output
    assert f"--model-path {tmp_path}/own/final" in result.output
