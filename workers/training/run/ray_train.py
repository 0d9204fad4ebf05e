"""Several processes that train together, on one machine or more, through Ray Train.

Each runs the same function as a lone process; Ray sets the environment that accelerate reads. Where a worker dies, all
start again from the last complete checkpoint: every machine must see the run's folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError

from ...cluster.address import connect_to_ray
from ...errors import QuackLLMError, SetupError, TrainingError
from ..run_folder import FINAL
from .job import TrainingJob
from .local import train_in_process
from .progress import ProgressFile, follow_progress

# In the run's folder until the run ends: Ray Train's files, and the workers' progress.
RAY_FOLDER, PROGRESS_FILE = ".ray", ".progress"


def train_on_ray(job: TrainingJob) -> None:
    """Train in Ray's workers, until `final/` is there.

    Raises:
        TrainingError: the workers failed, more often than max_failures allows.
        SetupError: no cluster answers, or it has too little room.
    """
    settings = job.settings
    with _cluster(settings.ray_address):
        resources = _resources(settings.num_workers)
        trainer = TorchTrainer(
            _train_worker,
            train_loop_config={"job": ray.put(job)},
            scaling_config=ScalingConfig(num_workers=settings.num_workers, use_gpu="GPU" in resources),
            run_config=RunConfig(
                name=Path(job.folder).name,
                storage_path=str(Path(job.folder, RAY_FOLDER)),
                failure_config=FailureConfig(max_failures=settings.max_failures),
            ),
        )
        try:
            with follow_progress(Path(job.folder, PROGRESS_FILE)):
                trainer.fit()
        except TrainingFailedError as error:
            raise _worker_error(error) from error
        finally:
            shutil.rmtree(Path(job.folder, RAY_FOLDER), ignore_errors=True)
    if not Path(job.folder, FINAL).is_dir():
        hint = "give --output-dir a folder that all machines share"
        raise TrainingError(
            f"the workers wrote their result where this machine does not see it: {job.folder}", hint=hint
        )


def _train_worker(config: dict[str, Any]) -> None:
    job: TrainingJob = ray.get(config["job"])
    train_in_process(job, ProgressFile(Path(job.folder, PROGRESS_FILE)).show)


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Connect to Ray; one that was started for this run ends with it."""
    if ray.is_initialized():
        yield
        return
    connect_to_ray(address, "start one with: ray start --head   or leave --ray-address out to use this machine alone")
    try:
        yield
    finally:
        ray.shutdown()


def _resources(workers: int) -> dict[str, float]:
    """Return the cluster's resources, if they give each worker a GPU, or a CPU if there are no GPUs.

    Raises:
        SetupError: there are fewer than workers.
    """
    have: dict[str, float] = ray.cluster_resources()
    resource = "GPU" if "GPU" in have else "CPU"
    if have.get(resource, 0) < workers:
        raise SetupError(
            f"{workers} workers need one {resource} each, and the cluster has {have.get(resource, 0):g}",
            hint=f"type: --num-workers {have.get(resource, 0):g}   or add machines: ray start --address HEAD:6379",
        )
    return have


def _worker_error(error: TrainingFailedError) -> QuackLLMError:
    """Return a worker's own error out of Ray's wrapping."""
    failures = error.worker_failures.values() if isinstance(error, WorkerGroupError) else [error]
    causes = [failure.__cause__ or failure for failure in failures]
    ours = next((cause for cause in causes if isinstance(cause, QuackLLMError)), None)
    if ours is not None:
        return ours
    messages = "; ".join(str(cause).strip().rpartition("\n")[2] for cause in causes)
    hint = "type the same command again: it resumes at the last checkpoint"
    return TrainingError(f"the workers failed: {messages}", hint=hint)
