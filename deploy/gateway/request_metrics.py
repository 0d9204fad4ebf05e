"""The metrics of a gateway's own requests, in addition to its models' metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

from ...workers.metrics import PREFIX, render

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The counters of one gateway process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        by_route = ("method", "route", "status")
        self._requests = Counter(
            f"{PREFIX}gateway_requests", "requests answered, by route and status", by_route, registry=self._registry
        )
        self._seconds = Histogram(
            f"{PREFIX}gateway_seconds",
            "seconds from a request to the end of its answer",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge(f"{PREFIX}gateway_under_way", "requests under way", registry=self._registry)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answered request; requests to unknown paths are counted together."""
        route = scope.get("route")
        path = route.path if route else "none"
        self._requests.labels(scope["method"] if route else "none", path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def render(self) -> str:
        """Return the gateway's metrics and its models', in Prometheus's text format."""
        own: bytes = generate_latest(self._registry)
        return own.decode() + render()
