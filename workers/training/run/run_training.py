"""Trains in this process, or in several through Ray Train."""

from __future__ import annotations

from pathlib import Path

from ..run_folder import Trained, read_report
from .job import TrainingJob
from .local import train_in_process
from .progress import progress_bar


def train(job: TrainingJob) -> Trained:
    """Train, in this process or in Ray's workers, and return the result.

    Raises:
        TrainingError: there is not enough memory, or the libraries refuse a setting.
        SetupError: no Ray cluster answers, or it has too little room.
    """
    if job.settings.num_workers > 1 or job.settings.ray_address:
        from .ray_train import train_on_ray

        train_on_ray(job)
    else:
        with progress_bar() as show:
            train_in_process(job, show)
    return read_report(Path(job.folder), job.data)
