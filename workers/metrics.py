"""What this process counts of its models, named as Prometheus does: plain sums, which cost a row next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from weakref import WeakSet

from .errors import MissingExtraError
from .messages import Response

PREFIX = "quackllm_"


@dataclass(frozen=True, slots=True)
class Counter:
    """A sum that only grows, by labels."""

    name: str
    labels: tuple[str, ...]
    description: str
    values: dict[tuple[str, ...], float] = field(default_factory=dict)

    def add(self, amount: float, *labels: str) -> None:
        """Add to the sum of these labels."""
        self.values[labels] = self.values.get(labels, 0.0) + amount


REQUESTS = Counter("requests_total", ("model", "outcome"), "requests that came back, by finish_reason")
ERRORS = Counter("errors_total", ("model", "code"), "requests that failed, by the provider's own code")
TOKENS = Counter("tokens_total", ("model", "direction"), "tokens read (input) and written (output)")
SECONDS = Counter("answer_seconds_total", ("model",), "seconds that answers took, added up")
RETRIES = Counter("retries_total", ("model",), "attempts after the first one")
CACHE_HITS = Counter("cache_hits_total", ("model",), "answers found in the call store, in place of a call")
MONEY = Counter("money_total", ("model",), "what calls cost, by prices.yaml")
COUNTERS = (REQUESTS, ERRORS, TOKENS, SECONDS, RETRIES, CACHE_HITS, MONEY)


class LoadSource(Protocol):
    """Something with requests of one model in it: a worker, or a router."""

    model: str

    @property
    def queued(self) -> int:
        """Requests that wait here."""

    @property
    def in_flight(self) -> int:
        """Requests that are under way."""


WORKERS: WeakSet[LoadSource] = WeakSet()
ROUTERS: WeakSet[LoadSource] = WeakSet()


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that is read when it is asked for, by model."""

    name: str
    description: str
    holders: WeakSet[LoadSource]
    read: Callable[[LoadSource], int]
    labels: tuple[str, ...] = ("model",)

    @property
    def values(self) -> Mapping[tuple[str, ...], float]:
        """The sums over all holders."""
        sums: dict[tuple[str, ...], float] = {}
        for holder in list(self.holders):
            sums[(holder.model,)] = sums.get((holder.model,), 0.0) + self.read(holder)
        return sums


GAUGES = (
    Gauge("in_flight", "requests that an engine works on", WORKERS, lambda worker: worker.in_flight),
    Gauge("queue_length", "requests that a worker has taken and not begun", WORKERS, lambda worker: worker.queued),
    Gauge("waiting", "requests in the process that asks, for which no worker has room", ROUTERS, lambda r: r.queued),
)


def count_answer(model: str, response: Response) -> None:
    """Count a request that came back."""
    REQUESTS.add(1, model, response.finish_reason)
    if response.error:
        ERRORS.add(1, model, response.error.code)
    TOKENS.add(response.usage.input_tokens, model, "input")
    TOKENS.add(response.usage.output_tokens, model, "output")
    SECONDS.add(response.seconds, model)


def collect() -> Iterator[tuple[Literal["counter", "gauge"], Counter | Gauge, dict[tuple[str, ...], float]]]:
    """Yield each metric's kind, itself, and its values by labels, as they are now."""
    for counter in COUNTERS:
        yield "counter", counter, dict(counter.values)
    for gauge in GAUGES:
        yield "gauge", gauge, dict(gauge.values)


def render() -> str:
    """Return this process's metrics in Prometheus's text format.

    Raises:
        MissingExtraError: prometheus_client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
        from prometheus_client.registry import Collector
    except ImportError as error:
        hint = "type: pip install 'quackllm[cluster]'"
        raise MissingExtraError("metrics need the package prometheus_client", hint=hint) from error

    class Ours(Collector):
        def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
            for kind, metric, values in collect():
                family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                described = family(PREFIX + metric.name, metric.description, labels=metric.labels)
                for labels, value in values.items():
                    described.add_metric(labels, value)
                yield described

    registry = CollectorRegistry()
    registry.register(Ours())
    text: bytes = generate_latest(registry)
    return text.decode("utf-8")
