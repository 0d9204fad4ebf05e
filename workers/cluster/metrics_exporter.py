"""Hands a process's metrics to Ray, whose agent on each node shows them to Prometheus."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray
from ray.util import metrics as ray_side

from ..log_events import configure_logging
from ..metrics import PREFIX, collect

EXPORT_SECONDS = 2.0
_WATCHED = threading.Event()


def start_exporter() -> None:
    """Hand this process's metrics to Ray from now on, every 2 seconds; once, however often it is called."""
    if not _WATCHED.is_set():
        _WATCHED.set()
        threading.Thread(target=_export_for_ever, name="quackllm-metrics", daemon=True).start()


def start_replica_observability() -> None:
    """Do the same for a replica, and write what it does into its log."""
    configure_logging()
    start_exporter()


def _export_for_ever() -> None:
    exported = MetricsExporter()
    while True:
        time.sleep(EXPORT_SECONDS)
        if ray.is_initialized():
            exported.export()


class MetricsExporter:
    """What Ray has been told: it takes what was added to a counter, not its sum."""

    def __init__(self) -> None:
        self._metrics: dict[str, Any] = {}
        self._told: dict[tuple[str, tuple[str, ...]], float] = {}

    def export(self) -> None:
        """Tell Ray what has changed."""
        for kind, metric, values in collect():
            for labels, value in values.items():
                before = self._told.get((metric.name, labels))
                if value != before:
                    told = self._metric(kind, metric.name, metric.description, metric.labels)
                    tags = dict(zip(metric.labels, labels, strict=True))
                    if kind == "gauge":
                        told.set(value, tags)
                    elif value:
                        told.inc(value - (before or 0.0), tags)
                    self._told[metric.name, labels] = value

    def _metric(self, kind: str, name: str, description: str, labels: tuple[str, ...]) -> Any:
        if name not in self._metrics:
            make = ray_side.Gauge if kind == "gauge" else ray_side.Counter
            self._metrics[name] = make(PREFIX + name, description, tag_keys=labels)
        return self._metrics[name]
