"""The one training loop of both stages: trl's SFTTrainer over ready tokens, in this process or each of several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..base_models import translated_errors
from ..run_folder import CURVE, DRAFT, FINAL, REPORT, Trained, last_checkpoint, write_json
from .job import TrainingJob
from .loss_plot import plot_losses
from .progress import ShowProgress

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes")


def train_in_process(job: TrainingJob, show: ShowProgress) -> None:
    """Train in this process, alone or as one of several that the environment names."""
    with translated_errors():  # Where transformers or trl is missing, these imports say so.
        from .trackers import end_trackers
        from .trainer import make_trainer

        trainer, watch = make_trainer(job, show)
        checkpoint = last_checkpoint(Path(job.folder))
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            end_trackers(job)
        write_result(job, trainer, watch.seconds, checkpoint)


def write_result(job: TrainingJob, trainer: Any, seconds: float, checkpoint: Path | None) -> None:
    """Write the adapter or model, the report and the curve; `final/` appears when all of it is there.

    Args:
        job: the run.
        trainer: trl's, after the last step.
        seconds: time spent training.
        checkpoint: the one that the run resumed from.
    """
    folder = Path(job.folder)
    trainer.save_model(str(folder / DRAFT))
    trainer.accelerator.wait_for_everyone()
    if not trainer.is_world_process_zero():
        return
    history = trainer.state.log_history
    trained = Trained(
        folder=folder / FINAL,
        steps=trainer.state.global_step,
        loss=_last(history, "loss") or float("nan"),
        eval_loss=_last(history, "eval_loss"),
        seconds=seconds,
        resumed_at=int(checkpoint.name.rpartition("-")[2]) if checkpoint else None,
        data=job.data,
    )
    write_json(folder / REPORT, report(job, trained, history))
    plot_losses(history, f"{job.stage}: {Path(job.base).name}", folder / CURVE)
    (folder / DRAFT).rename(folder / FINAL)


def report(job: TrainingJob, trained: Trained, history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what `training.json` holds.

    Args:
        job: the run.
        trained: its result.
        history: the trainer's log entries.
    """
    losses = [entry for entry in history if "loss" in entry or "eval_loss" in entry]
    return {
        "stage": job.stage,
        **{name: value for name, value in asdict(trained).items() if name not in ("folder", "data")},
        "data": asdict(trained.data),
        "settings": job.settings.model_dump(),
        "versions": versions(),
        "losses": losses,
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that trained."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _last(history: Sequence[dict[str, Any]], key: str) -> float | None:
    return next((entry[key] for entry in reversed(history) if key in entry), None)
