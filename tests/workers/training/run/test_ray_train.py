"""Two workers of Ray Train, one of which is killed, have the losses of one process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from quackllm.workers.errors import SetupError
from quackllm.workers.training import FinetuneSettings, finetune

from support.tiny_llama import write_chats

pytest.importorskip("trl")
pytestmark = [
    pytest.mark.ray,
    # Ray's own, about files and sockets that it leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]


def settings(base: Path, folder: Path, data: Path, **more: Any) -> FinetuneSettings:
    told = {
        **{"model_name": str(base), "train_file": str(data), "output_dir": str(folder), "max_steps": 80},
        **{"max_seq_length": 64, "learning_rate": 5e-3, "gradient_accumulation_steps": 1, "lora_dropout": 0.0},
        **{"logging_steps": 1, "save_steps": 3},
    }
    return FinetuneSettings(**{**told, **more})


def losses(folder: Path) -> list[float]:
    return [entry["loss"] for entry in json.loads((folder / "training.json").read_text())["losses"]]


def trains(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # Ray's helpers come and go.
        return "RayTrainWorker" in " ".join(process.cmdline())
    return False


def kill_a_worker(folder: Path) -> int:
    """Kill one training worker when the first checkpoint is there; return its process id."""
    until, workers = time.monotonic() + 400, list[psutil.Process]()
    while not list(folder.glob("checkpoint-*/complete")):
        assert time.monotonic() < until
        if len(workers) < 2:
            workers = [child for child in psutil.Process().children(recursive=True) if trains(child)]
        time.sleep(0.01)
    os.kill(workers[-1].pid, signal.SIGKILL)
    return workers[-1].pid


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_two_workers_have_the_losses_of_one_process_though_one_is_killed(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "0")  # This test waits for nothing but the workers.
    data = write_chats(tmp_path / "train.jsonl")
    alone = finetune(settings(base, tmp_path / "alone", data, per_device_train_batch_size=4))
    several = settings(base, tmp_path / "several", data, per_device_train_batch_size=2, num_workers=2)
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill_a_worker, tmp_path / "several")
        together = finetune(several)
        assert killed.result() > 0
    assert together.resumed_at is not None
    assert together.steps == alone.steps == 80
    assert losses(tmp_path / "several") == pytest.approx(losses(tmp_path / "alone"), rel=2e-3)
    assert (together.folder / "adapter_model.safetensors").is_file()
    assert not [path.name for path in (tmp_path / "several").glob(".[pr]*")]


def test_a_cluster_that_is_not_there_says_what_to_type(base: Path, tmp_path: Path) -> None:
    told = settings(base, tmp_path / "run", write_chats(tmp_path / "train.jsonl"), ray_address="127.0.0.1:1")
    with pytest.raises(SetupError, match="no Ray cluster answers") as raised:
        finetune(told)
    assert "ray start --head" in raised.value.hint
