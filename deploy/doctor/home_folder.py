"""QUACKLLM_HOME: whether it is writable, has free space, and its files are readable."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from ...udf.calls.call_store import CallStore
from ...udf.calls.prices import add_cost
from ...udf.settings import load_settings
from ...workers.errors import QuackLLMError, SetupError, StoreError
from ...workers.home import home_folder
from ..gateway.auth.api_keys import read_keys
from .finding import Finding, State

# Free space below which answers may not be stored, and below which the doctor warns.
MIN_FREE_BYTES, LOW_FREE_BYTES = 64 << 20, 1 << 30
SET_HOME = "export QUACKLLM_HOME=/a/folder/of/yours"
LOCK_TIMEOUT_SECONDS = 2.0


def check_home() -> Iterator[Finding]:
    """Check the folder, its disk, its settings and the call store."""
    try:
        folder = home_folder()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except SetupError as error:
        yield Finding("QUACKLLM_HOME", "broken", error.message, error.hint)
        return
    except OSError as error:
        yield Finding("QUACKLLM_HOME", "broken", f"it is not writable: {error}", SET_HOME)
        return
    yield from _disk(folder)
    yield from _keys(folder)
    yield from _readable("settings.yaml", load_settings)
    yield from _readable("prices.yaml", lambda: add_cost([]))
    yield from _readable("keys.yaml", lambda: read_keys(folder / "keys.yaml"))
    yield from _store(folder / "calls.sqlite")


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    text = f"{folder}, {free / 1e9:,.1f} GB free"
    if free < LOW_FREE_BYTES:
        state: State = "broken" if free < MIN_FREE_BYTES else "warning"
        yield Finding("disk", state, f"little free space: {text}", f"delete something, or {SET_HOME}")
    else:
        yield Finding("QUACKLLM_HOME", "ok", text)


def _keys(folder: Path) -> Iterator[Finding]:
    for path in sorted((folder / "keys").glob("*")):
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding("keys", "warning", f"other users can read the key in {path}", f"chmod 600 '{path}'")


def _readable(name: str, read: Callable[[], object]) -> Iterator[Finding]:
    try:
        read()
    except QuackLLMError as error:
        yield Finding(name, "broken", error.message, error.hint)


def _store(path: Path) -> Iterator[Finding]:
    """Check that the call store can be opened and written, within a few seconds."""
    try:
        if path.is_file():
            with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
        CallStore(path, max_bytes=sys.maxsize)  # The size in settings.yaml was checked before.
    except StoreError as error:
        yield Finding("call store", "broken", error.message, error.hint)
    except sqlite3.Error as error:
        locked = "locked" in str(error)
        text = f"{path} is locked by another process" if locked else f"{path} cannot be used: {error}"
        fix = f"fuser '{path}'   shows which one" if locked else f"mv '{path}' '{path}.broken'   to start a new one"
        yield Finding("call store", "broken", text, fix)
    else:
        yield Finding("call store", "ok", f"{path}, {path.stat().st_size / 1e6:,.1f} MB")
