"""QUACKLLM_HOME: the folder of the deployed models, their keys and the call store."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from platformdirs import user_data_path

from .errors import SetupError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What we write into the folder, and what users write there for us: prompts, answers, keys, passwords of databases.
PRIVATE_FILES = ("*.lock", "*.sqlite", "*.sqlite-*", "*.sqlite.*", "*.yaml", "*_history", "keys", "keys/*")


def home_folder() -> Path:
    """Return the folder, made if need be: QUACKLLM_HOME, or the user's data folder. Only its owner can read it.

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
    _close_to_others(path.absolute())
    return path


def touch_private(path: Path) -> None:
    """Create a file that only its owner can read, unless it exists; SQLite gives the same mode to its `-wal` file."""
    with suppress(OSError):  # A read-only folder: who opens the file reports it.
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


@lru_cache(maxsize=64)
def _close_to_others(folder: Path) -> None:
    """Take the folder and our files in it from other users, once in each process: earlier releases left them open."""
    if os.name != "posix" or folder in (Path(folder.anchor), Path.home()) or folder.stat().st_mode & stat.S_ISVTX:
        return  # A folder that others use too, such as /tmp: only our files are closed, where they are created.
    for path in (folder, *(found for pattern in PRIVATE_FILES for found in folder.glob(pattern))):
        with suppress(OSError):  # It is somebody else's, or the disk is read-only.
            mode = path.lstat().st_mode
            if mode & OTHERS and not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & ~OTHERS)
