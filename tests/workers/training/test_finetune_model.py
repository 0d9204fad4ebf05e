"""Fine-tuning to the end, by every method, on a tiny Llama; and the settings and data that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.errors import TrainingError
from quackllm.workers.training import FinetuneSettings, Trained, finetune

from support.tiny_llama import chat, write_chats, write_lines

pytest.importorskip("trl")

FAST: dict[str, Any] = {
    **{"max_seq_length": 64, "learning_rate": 1e-2, "num_train_epochs": 1, "gradient_accumulation_steps": 1},
    **{"logging_steps": 1, "save_steps": 2, "max_steps": 4},
}


def run(base: Path, folder: Path, data: Path, **more: Any) -> Trained:
    fields = {"model_name": str(base), "train_file": str(data), "output_dir": str(folder), **FAST, **more}
    return finetune(FinetuneSettings(**fields))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_chats(tmp_path / "train.jsonl")


@pytest.mark.parametrize("method", ["lora", "qlora", "qlora8", "full"])
def test_each_method_runs_to_its_end_and_learns(method: str, base: Path, data: Path, tmp_path: Path) -> None:
    trained = run(base, tmp_path / "run", data, method=method, eval_file=str(data))
    assert trained.folder == tmp_path / "run" / "final"
    weights = "model.safetensors" if method == "full" else "adapter_model.safetensors"
    assert {weights, "tokenizer.json", "chat_template.jinja"} <= {path.name for path in trained.folder.iterdir()}
    assert (tmp_path / "run" / "loss.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((tmp_path / "run" / "training.json").read_text())
    losses = [entry["loss"] for entry in report["losses"] if "loss" in entry]
    assert len(losses) == trained.steps == report["steps"] == 4
    assert losses[-1] < losses[0]
    assert trained.loss == losses[-1]
    assert trained.eval_loss is not None
    assert trained.eval_loss < losses[0]
    assert report["settings"]["method"] == method
    assert "torch" in report["versions"]


def test_packed_examples_have_the_loss_of_loose_ones(base: Path, data: Path, tmp_path: Path) -> None:
    whole = {"per_device_train_batch_size": 16, "max_steps": 1, "lora_dropout": 0.0}
    loose = run(base, tmp_path / "loose", data, **whole)
    packed = run(base, tmp_path / "packed", data, **whole, packing=True, max_seq_length=128)
    assert packed.loss == pytest.approx(loose.loss, rel=1e-4)


def test_bad_and_too_long_rows_are_counted_and_the_rest_is_learnt(base: Path, tmp_path: Path) -> None:
    rows = [chat("a", "b"), {"messages": []}, chat("a", "b c d e f" * 30), chat("c", "d")]
    data = write_lines(tmp_path / "rows.jsonl", rows)
    trained = run(base, tmp_path / "run", data, eval_file=str(data), max_steps=1)
    assert [str(row) for row in trained.data.eval_bad] == ["line 2: no turn at all", "line 3: more than 64 tokens"]
    assert (trained.data.examples, trained.data.too_long) == (2, [3])
    assert [str(row) for row in trained.data.bad] == ["line 2: no turn at all"]
    report = json.loads((tmp_path / "run" / "training.json").read_text())
    assert report["data"]["bad"] == [{"line": 2, "reason": "no turn at all"}]


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "is empty"), ([{"messages": []}], "1 bad ones:\nline 1"), ([chat("a", "b" * 400)], "more than 64 tokens")],
)
def test_data_with_nothing_to_learn_leaves_nothing_behind(
    rows: list[Any], message: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=message):
        run(base, tmp_path / "run", write_lines(tmp_path / "rows.jsonl", rows))
    assert [path.name for path in (tmp_path / "run").iterdir()] in ([], [".lock"])


def test_a_finished_run_is_not_overwritten(base: Path, data: Path, tmp_path: Path) -> None:
    run(base, tmp_path / "run", data, max_steps=1)
    with pytest.raises(TrainingError, match="contains a finished run") as raised:
        run(base, tmp_path / "run", data, max_steps=1)
    assert "--output-dir" in raised.value.hint


def test_what_fails_on_the_way_leaves_no_final(base: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Target modules"):
        run(base, tmp_path / "run", data, target_modules=["nothing"])
    assert not (tmp_path / "run" / "final").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"model_name": "/nowhere/model"}, "there is no model folder"),
        ({"max_seq_length": 4096}, "the model reads 256 tokens"),
        ({"deepspeed": "/nowhere/zero3.json"}, "zero3.json cannot be read"),
    ],
)
def test_settings_that_cannot_be_say_what_to_type(
    more: dict[str, Any], message: str, base: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=message) as raised:
        run(base, tmp_path / "run", data, **more)
    assert raised.value.hint


def test_losses_go_to_tensorboard(base: Path, data: Path, tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(base, tmp_path / "run", data, max_steps=2, report_to="tensorboard")
    events = accumulators.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2]


@pytest.mark.filterwarnings("ignore")  # SwanLab's own.
def test_losses_go_to_swanlab_on_this_machine(base: Path, data: Path, tmp_path: Path) -> None:
    swanlab = pytest.importorskip("swanlab")
    pytest.importorskip("swanboard")
    run(base, tmp_path / "run", data, max_steps=2, report_to="swanlab-local")
    assert swanlab.get_run() is None
    logs = "".join(path.read_text() for path in (tmp_path / "run" / "swanlab").rglob("logs/*/*.log"))
    assert str(json.loads((tmp_path / "run" / "training.json").read_text())["loss"])[:6] in logs


def test_swanlabs_cloud_without_a_key_says_what_to_type(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("swanlab")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SWANLAB_SAVE_DIR", str(tmp_path / "swan"))
    with pytest.raises(TrainingError, match="SwanLab cannot be used") as raised:
        run(base, tmp_path / "run", data, max_steps=2, report_to="swanlab")
    assert "--report-to swanlab-local" in raised.value.hint
