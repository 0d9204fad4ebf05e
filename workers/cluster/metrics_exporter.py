"""Hands a process's metrics to Ray, whose agent on each node shows them to Prometheus."""

from __future__ import annotations

import threading
import time
from typing import Any

import ray
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from ray.util import metrics as ray_side

from ..log_events import configure_logging
from ..metrics import REGISTRY

EXPORT_SECONDS = 2.0
_STARTED = threading.Event()


def start_exporter() -> None:
    """Hand this process's metrics to Ray every 2 seconds from now on; a second call does nothing."""
    if not _STARTED.is_set():
        _STARTED.set()
        threading.Thread(target=_export_forever, name="quackllm-metrics", daemon=True).start()


def start_replica_observability() -> None:
    """Start the exporter of a replica, and write its events into its log."""
    configure_logging()
    start_exporter()


def _export_forever() -> None:
    exported = MetricsExporter()
    while True:
        time.sleep(EXPORT_SECONDS)
        if ray.is_initialized():
            exported.export()


class MetricsExporter:
    """Hands over what changed since it was last called: a counter of Ray's takes what was added, not the sum."""

    def __init__(self) -> None:
        self._metrics: dict[str, Any] = {}
        self._exported: dict[tuple[str, tuple[str, ...]], float] = {}

    def export(self) -> None:
        """Hand over what changed."""
        for family in REGISTRY.collect():
            for sample in family.samples:
                key = sample.name, tuple(sample.labels.values())
                before = self._exported.get(key)
                if sample.value == before or sample.name.endswith("_created"):
                    continue
                metric = self._metric(family, sample)
                if family.type == "gauge":
                    metric.set(sample.value, sample.labels)
                elif sample.value:
                    metric.inc(sample.value - (before or 0.0), sample.labels)
                self._exported[key] = sample.value

    def _metric(self, family: Metric, sample: Sample) -> Any:
        if sample.name not in self._metrics:
            make = ray_side.Gauge if family.type == "gauge" else ray_side.Counter
            self._metrics[sample.name] = make(sample.name, family.documentation, tag_keys=tuple(sample.labels))
        return self._metrics[sample.name]
