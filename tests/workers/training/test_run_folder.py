"""A killed run resumes at its last complete checkpoint, with the losses of a run that was not killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.errors import TrainingError
from quackllm.workers.training import FinetuneSettings, finetune
from quackllm.workers.training.run_folder import run_folder

from support.tiny_llama import write_chats

pytest.importorskip("trl")

COMMAND = "from quackllm.deploy.cli.main import app; app()"
STEPS = 24


def fields(base: Path, folder: Path, data: Path) -> dict[str, Any]:
    return {
        **{"model_name": str(base), "train_file": str(data), "output_dir": str(folder), "max_steps": STEPS},
        **{"max_seq_length": 64, "learning_rate": 5e-3, "per_device_train_batch_size": 2, "lora_dropout": 0.2},
        **{"gradient_accumulation_steps": 1, "logging_steps": 1, "save_steps": 3},
    }


def losses(folder: Path) -> list[float]:
    return [entry["loss"] for entry in json.loads((folder / "training.json").read_text())["losses"]]


def kill_at_a_checkpoint(told: dict[str, Any], folder: Path) -> None:
    """Type the command in a process of its own and kill it when its second checkpoint is there."""
    words = [word for name, value in told.items() for word in ("--" + name.replace("_", "-"), str(value))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with (folder.parent / "log.txt").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "finetune", *words], stdout=log, stderr=log, env=environment
        )
        until = time.monotonic() + 150
        while not (folder / "checkpoint-6" / "complete").exists():
            assert child.poll() is None, (folder.parent / "log.txt").read_text()
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()


def test_a_killed_run_goes_on_with_the_same_losses(base: Path, tmp_path: Path) -> None:
    data = write_chats(tmp_path / "train.jsonl")
    told = fields(base, tmp_path / "killed", data)
    kill_at_a_checkpoint(told, tmp_path / "killed")
    assert not (tmp_path / "killed" / "final").exists()
    half_written = tmp_path / "killed" / "checkpoint-23"
    half_written.mkdir()
    resumed = finetune(FinetuneSettings(**told))
    whole = finetune(FinetuneSettings(**fields(base, tmp_path / "whole", data)))
    assert resumed.resumed_at is not None
    assert 6 <= resumed.resumed_at < STEPS
    assert (resumed.steps, whole.steps, whole.resumed_at) == (STEPS, STEPS, None)
    assert not half_written.exists()
    assert losses(tmp_path / "killed") == pytest.approx(losses(tmp_path / "whole"), rel=1e-3)
    assert len({round(loss, 3) for loss in losses(tmp_path / "whole")}) > STEPS / 2, "the losses tell the steps apart"


@pytest.fixture
def unfinished(base: Path, tmp_path: Path) -> dict[str, Any]:
    """A run that ended at a checkpoint, as a killed one does."""
    told = {**fields(base, tmp_path / "run", write_chats(tmp_path / "train.jsonl")), "max_steps": 3}
    finetune(FinetuneSettings(**told))
    (tmp_path / "run" / "final").rename(tmp_path / "gone")
    return told


def test_an_unfinished_run_of_other_settings_is_left_alone(unfinished: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=r"another learning_rate \(it was 0.005\)") as raised:
        finetune(FinetuneSettings(**{**unfinished, "learning_rate": 1e-3}))
    assert "--resume never" in raised.value.hint


def test_too_long_sequences_are_refused_before_the_data_are_read_and_the_weights_loaded(
    base: Path, tmp_path: Path
) -> None:
    only_config = tmp_path / "base"
    only_config.mkdir()
    shutil.copy(base / "config.json", only_config)
    told = fields(only_config, tmp_path / "run", tmp_path / "no.jsonl")
    with pytest.raises(TrainingError, match="max_seq_length is 100000"):
        finetune(FinetuneSettings(**{**told, "max_seq_length": 100_000}))


def test_a_run_that_ended_before_its_first_checkpoint_is_in_nobodys_way(base: Path, tmp_path: Path) -> None:
    told = {**fields(base, tmp_path / "run", write_chats(tmp_path / "train.jsonl")), "max_steps": 2}
    with pytest.raises(TrainingError, match="max_seq_length is 100000") as raised:
        finetune(FinetuneSettings(**{**told, "max_seq_length": 100_000}))
    assert "--max-seq-length" in raised.value.hint
    assert not (tmp_path / "run" / "training.json").exists()
    assert finetune(FinetuneSettings(**told)).steps == 2


def test_an_unfinished_run_on_other_data_is_left_alone(unfinished: dict[str, Any]) -> None:
    write_chats(Path(unfinished["train_file"]), 8)
    with pytest.raises(TrainingError, match="another data"):
        finetune(FinetuneSettings(**unfinished))


def test_never_starts_over(unfinished: dict[str, Any]) -> None:
    trained = finetune(FinetuneSettings(**{**unfinished, "learning_rate": 1e-3, "resume": "never", "max_steps": 2}))
    assert (trained.resumed_at, trained.steps) == (None, 2)


def test_what_is_no_part_of_the_training_may_change(unfinished: dict[str, Any]) -> None:
    assert finetune(FinetuneSettings(**{**unfinished, "run_name": "again"})).resumed_at == 3


def test_two_processes_do_not_train_into_one_folder(unfinished: dict[str, Any]) -> None:
    with run_folder(unfinished["output_dir"]), pytest.raises(TrainingError, match="another process trains into"):
        finetune(FinetuneSettings(**unfinished))
