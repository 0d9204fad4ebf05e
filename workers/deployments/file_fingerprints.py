"""Fingerprints of local model files, which show whether a file has changed."""

from __future__ import annotations

from pathlib import Path


def file_fingerprints(path: str) -> list[tuple[str, int, int]]:
    """Return name, size in bytes and time of change in ns of a model's files: of one, or of those in a folder.

    Nothing where the path is an id of a hub, or lies on another machine.
    """
    root = Path(path).expanduser()
    files = sorted(root.iterdir()) if root.is_dir() else [root]
    stats = ((file.name, file.stat()) for file in files if file.is_file())
    return [(name, found.st_size, found.st_mtime_ns) for name, found in stats]
