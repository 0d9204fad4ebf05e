"""Where the losses are drawn while it trains: TensorBoard, or SwanLab in its cloud or on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import MissingExtraError, TrainingError
from ..base_models import INSTALL, first_line
from .job import TrainingJob


def make_trackers(job: TrainingJob) -> list[Any]:
    """Return the trainer's callbacks for the tracker of `report_to`.

    Raises:
        MissingExtraError: it is not installed.
        TrainingError: SwanLab's cloud has no key, refuses it, or is not reached.
    """
    try:
        if job.settings.report_to == "tensorboard":
            return [_tensorboard(job)]
        return [] if job.settings.report_to == "none" else [_swanlab(job)]
    except ImportError as error:
        raise MissingExtraError(f"{job.settings.report_to} needs {error.name or error}", hint=INSTALL) from error


def end_trackers(job: TrainingJob) -> None:
    """Let SwanLab end its run, so that another may follow in this process."""
    if job.settings.report_to.startswith("swanlab"):
        import swanlab

        if swanlab.get_run() is not None:
            swanlab.finish()


def _tensorboard(job: TrainingJob) -> Any:
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    return TensorBoardCallback(SummaryWriter(str(Path(job.folder, "tensorboard"))))


def _swanlab(job: TrainingJob) -> Any:
    import swanlab
    from swanlab.error import KeyFileError, ValidationError
    from transformers.integrations import SwanLabCallback

    try:
        swanlab.init(
            project="quackllm",
            experiment_name=job.settings.run_name or Path(job.folder).name,
            mode="local" if job.settings.report_to == "swanlab-local" else "cloud",
            logdir=str(Path(job.folder, "swanlab")),
        )
    except (KeyFileError, ValidationError, OSError) as error:
        hint = "type: swanlab login   or: export SWANLAB_API_KEY=…   or: --report-to swanlab-local"
        raise TrainingError(f"SwanLab cannot be used: {first_line(error)}", hint=hint) from error
    return SwanLabCallback()
