"""Reads what lies in deploy/ for other machines: images, clusters, jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKER = DEPLOY / "docker"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
RAY_UP = DEPLOY / "ray-up" / "cluster.yaml"
COMPOSE = DOCKER / "compose.yaml"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each Kubernetes object with the name of its file."""
    for path in KUBERNETES:
        yield from ((path.name, found) for found in yaml.safe_load_all(path.read_text("utf-8")))


def inside(value: Any, key: str) -> Iterator[Any]:
    """Yield what every mapping in there has under that key."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from inside(part, key)


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, each as its word and the rest on one line."""
    lines = [line for line in (DOCKER / "Dockerfile").read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]
