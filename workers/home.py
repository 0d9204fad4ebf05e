"""QUACKLLM_HOME: the folder of the deployed models, their keys and the call store."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from .errors import SetupError


def home_folder() -> Path:
    """Return the folder, made if need be: QUACKLLM_HOME, or the user's data folder.

    Raises:
        SetupError: it cannot be made.
    """
    named = os.environ.get("QUACKLLM_HOME")
    path = Path(named).expanduser() if named else user_data_path("quackllm", appauthor=False)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        hint = "type: export QUACKLLM_HOME=/a/folder/of/yours"
        raise SetupError(f"the folder for models and answers cannot be created: {error}", hint=hint) from error
    return path
