"""Engines of a test's own, installed as any other package brings them: by an entry point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

InstallEngine = Callable[[str, type], None]


@pytest.fixture
def install_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstallEngine:
    """Give what installs a class of a test module as the engine of a name."""

    def install(name: str, engine: type) -> None:
        metadata = tmp_path / "site" / f"{name}_engine-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-engine\nVersion: 1.0\n")
        point = f"{name} = {engine.__module__}:{engine.__qualname__}"
        (metadata / "entry_points.txt").write_text(f"[quackllm.engines]\n{point}\n")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return install
