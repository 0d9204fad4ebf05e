"""`quackllm notebook`: JupyterLab with a copy of the example notebooks."""

from __future__ import annotations

import importlib.util
import locale
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ....workers.errors import MissingExtraError
from ...terminal_output import print_line

EXAMPLES = Path(__file__).parents[3] / "notebooks" / "examples"
STORY = "story"
"""What the notebook about a model of one's own imports."""


def notebook(
    folder: Annotated[Path, typer.Argument(help="Where your copies of the examples are.")] = Path("quackllm-examples"),
    start: Annotated[bool, typer.Option("--start/--copy-only", help="Start JupyterLab afterwards.")] = True,
) -> None:
    """Copy the example notebooks into a folder of yours, and open them in JupyterLab.

    The first one needs no API key, no GPU and no model download:

        quackllm notebook
        quackllm notebook ~/duck --copy-only

    A copy that is there already stays as it is, with your changes.
    """
    copied = copy_examples(folder)
    print_line(
        f"{folder}: {len(copied)} example notebooks copied"
        if copied
        else f"{folder}: the example notebooks are there already"
    )
    if start:
        _start_jupyterlab(folder / _first_example())


def copy_examples(folder: Path) -> list[Path]:
    """Copy the notebooks that the folder lacks, and what they import; return the copied notebooks."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(EXAMPLES / STORY, folder / STORY, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    missing = [path for path in sorted(EXAMPLES.glob("*.ipynb")) if not (folder / path.name).exists()]
    return [Path(shutil.copyfile(path, folder / path.name)) for path in missing]


def _first_example() -> str:
    language = locale.getlocale()[0] or ""
    return "quickstart.zh.ipynb" if language.startswith(("zh", "Chinese")) else "quickstart.ipynb"


def _start_jupyterlab(path: Path) -> None:
    """Replace this process by JupyterLab, so that Ctrl-C and the exit code are its own.

    Raises:
        MissingExtraError: JupyterLab is not installed.
    """
    if not importlib.util.find_spec("jupyterlab"):
        raise MissingExtraError("JupyterLab is not installed", hint='type: pip install "quackllm[notebook]"')
    # Jupyter refuses to run as root without this; in a container there is often nobody else.
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *as_root, str(path)])
