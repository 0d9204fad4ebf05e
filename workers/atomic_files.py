"""Files and folders that appear under their name only when they are complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def draft_path(path: Path) -> Path:
    """Return the name of a file or folder while it is written; it ends as the final one does."""
    return path.with_name(f".draft-{path.name}")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a draft's name to write a file or folder to; it becomes `path` when the block ends without an error.

    A file that is there is replaced; a folder is not. What was not completed is removed.

    Raises:
        OSError: the draft cannot be renamed.
    """
    draft = draft_path(path)
    remove(draft)
    try:
        yield draft
        draft.replace(path)
    finally:
        remove(draft)


def atomic_write_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Args:
        path: replaced if it is there.
        text: all that it holds.
        mode: the file's permissions, less the process's umask; 0o600: for its owner alone.

    Raises:
        OSError: it cannot be written.
    """
    with atomic_write(path) as draft:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
