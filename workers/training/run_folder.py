"""The folder of a run: its settings, its checkpoints and, only when all is done, `final/`.

output_dir/
├── run.json            the run's settings, and a fingerprint of its data
├── checkpoint-500/     a step to resume from; complete if it has the file `complete`
├── training.json       settings, data, losses, versions, seconds
├── loss.png            the losses as a curve
└── final/              the adapter or model, renamed into place when everything above is written
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..atomic_files import atomic_write_text, draft_path
from ..errors import TrainingError
from .data.data_files import BadRow

FINAL, COMPLETE, RUN, REPORT, CURVE = "final", "complete", "run.json", "training.json", "loss.png"
DRAFT = draft_path(Path(FINAL)).name
# Settings that may differ when a run is resumed.
MAY_CHANGE_ON_RESUME = {"resume", "ray_address", "report_to", "run_name", "max_failures"}


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of a run.

    Args:
        folder: the finished adapter or model.
        steps: optimizer steps, those before a resume included.
        loss: the last training loss that was logged, nats a token.
        eval_loss: the last loss on eval_file.
        seconds: time spent training, that before a resume included.
        resumed_at: the step it resumed from; None: it started fresh.
        data: how many examples and tokens there were, and what was left out.
    """

    folder: Path
    steps: int
    loss: float
    eval_loss: float | None
    seconds: float
    resumed_at: int | None
    data: DataReport


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a run was trained on, and what was left out: bad rows, and the lines of examples that were too long.

    `eval_bad` are the rows of eval_file that were left out, for whichever reason.
    """

    examples: int
    tokens: int
    trained_tokens: int
    fingerprint: str
    bad: list[BadRow] = field(default_factory=list)
    too_long: list[int] = field(default_factory=list)
    eval_examples: int = 0
    eval_bad: list[BadRow] = field(default_factory=list)


def read_report(folder: Path, data: DataReport) -> Trained:
    """Return the result of a run that has finished."""
    fields = json.loads((folder / REPORT).read_text("utf-8"))
    names = ("steps", "loss", "eval_loss", "seconds", "resumed_at")
    return Trained(folder=folder / FINAL, data=data, **{name: fields[name] for name in names})


@contextmanager
def run_folder(output_dir: str) -> Iterator[Path]:
    """Hold a run's folder, made if need be, so that no two processes train into it.

    Raises:
        TrainingError: it cannot be made, holds a finished run, or another process trains into it.
    """
    folder = Path(output_dir)
    if (folder / FINAL).exists():
        hint = f"type: --output-dir ANOTHER   or, to train again:  rm -r {folder}"
        raise TrainingError(f"{folder} contains a finished run", hint=hint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            yield folder
    except Timeout as error:
        raise TrainingError(f"another process trains into {folder}", hint="type: --output-dir ANOTHER") from error
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise TrainingError(f"{folder} cannot be written: {error}", hint="type: --output-dir ANOTHER") from error


def start_or_resume(folder: Path, stage: str, settings: Mapping[str, Any], fingerprint: str) -> Path | None:
    """Return the checkpoint to resume from; None for a fresh start, whose settings are saved in the folder.

    A run that ended before its first checkpoint has nothing to lose, whatever its settings.

    Args:
        folder: of the run.
        stage: `finetune` or `pretrain`.
        settings: the stage's, by name.
        fingerprint: a hash of the data.

    Raises:
        TrainingError: the folder holds a run with other settings.
    """
    run = {
        "stage": stage,
        "data": fingerprint,
        "settings": {k: v for k, v in settings.items() if k not in MAY_CHANGE_ON_RESUME},
    }
    run_file = folder / RUN
    checkpoint = last_checkpoint(folder)
    if checkpoint and run_file.is_file() and settings["resume"] == "auto":
        _check_same(folder, json.loads(run_file.read_text("utf-8")), json.loads(json.dumps(run)))
        delete_partial(folder)
        return checkpoint
    for left in [*folder.glob("checkpoint-*"), folder / DRAFT]:
        shutil.rmtree(left, ignore_errors=True)
    write_json(run_file, run)
    return None


def _check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changed = [name for name in ("stage", "data") if before[name] != now[name]]
    old, new = before["settings"], now["settings"]
    changed += [f"{name} (it was {old.get(name)!r})" for name in new if old.get(name) != new[name]]
    if changed:
        hint = "type the same command again to resume, add --resume never to start over here, or --output-dir ANOTHER"
        raise TrainingError(f"{folder} contains an unfinished run with another {', '.join(changed)}", hint=hint)


def delete_partial(folder: Path) -> None:
    """Remove checkpoints and results whose writing was cut off."""
    for path in [*folder.glob("checkpoint-*"), folder / DRAFT]:
        if not (path / COMPLETE).is_file():
            shutil.rmtree(path, ignore_errors=True)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint."""
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all."""
    atomic_write_text(path, json.dumps(value, ensure_ascii=False, indent=2))


def require_finished(path: str) -> Path:
    """Return the adapter or model of a run's folder, or the folder itself where it is one.

    Raises:
        TrainingError: there is none, or the run has not finished.
    """
    folder = Path(path)
    if (folder / FINAL).is_dir():
        return folder / FINAL
    if (folder / RUN).is_file():
        hint = "type the command that trains it again: it resumes at its last checkpoint if there is one"
        raise TrainingError(f"the run in {folder} has not finished", hint=hint)
    if folder.name.startswith("checkpoint-") or folder.name == DRAFT:
        raise TrainingError(f"{folder} is a step of a run, not its end", hint=f"type: {folder.parent}")
    if not folder.is_dir():
        raise TrainingError(
            f"there is no folder {folder}", hint="is the path right? It is the output_dir of quackllm finetune"
        )
    return folder
