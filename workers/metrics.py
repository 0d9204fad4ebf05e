"""What this process counts of its models, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Protocol
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .messages import Response

PREFIX = "quackllm_"
REGISTRY = CollectorRegistry()


def _counter(name: str, description: str, *labels: str) -> Counter:
    return Counter(PREFIX + name, description, ("model", *labels), registry=REGISTRY)


REQUESTS = _counter("requests", "requests that were answered or failed, by finish_reason", "outcome")
ERRORS = _counter("errors", "requests that failed, by the provider's own code", "code")
TOKENS = _counter("tokens", "tokens read (input) and written (output)", "direction")
SECONDS = _counter("answer_seconds", "seconds that answers took, added up")
RETRIES = _counter("retries", "attempts after the first one")
CACHE_HITS = _counter("cache_hits", "answers found in the call store, in place of a call")
MONEY = _counter("money", "what calls cost, by prices.yaml")


@cache
def series(counter: Counter, *labels: str) -> Counter:
    """Return a counter of these label values; `labels` looks them up 5 times slower."""
    return counter.labels(*labels)


@cache
def _answer_series(model: str, finish_reason: str) -> tuple[Counter, Counter, Counter, Counter]:
    return (
        REQUESTS.labels(model, finish_reason),
        TOKENS.labels(model, "input"),
        TOKENS.labels(model, "output"),
        SECONDS.labels(model),
    )


def count_answers(model: str, responses: Sequence[Response]) -> None:
    """Count requests that were answered or failed."""
    for reason in {response.finish_reason for response in responses}:
        ended = [response for response in responses if response.finish_reason == reason]
        requests, read, written, seconds = _answer_series(model, reason)
        requests.inc(len(ended))
        read.inc(sum([response.usage.input_tokens for response in ended]))
        written.inc(sum([response.usage.output_tokens for response in ended]))
        seconds.inc(sum([response.seconds for response in ended]))
        for error in [response.error for response in ended if response.error]:
            series(ERRORS, model, error.code).inc()


class LoadSource(Protocol):
    """Something that has requests of one model: a worker, or a router."""

    model: str

    @property
    def queued(self) -> int:
        """Requests that wait here."""

    @property
    def in_flight(self) -> int:
        """Requests that were sent on from here and have no answer yet."""


WORKERS: WeakSet[LoadSource] = WeakSet()
ROUTERS: WeakSet[LoadSource] = WeakSet()


class LoadCollector(Collector):
    """Reads the load of each model when it is collected."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the requests that wait and that are in flight, by model."""
        workers, routers = list(WORKERS), list(ROUTERS)
        yield _gauge("in_flight", "requests that an engine works on", [(w.model, w.in_flight) for w in workers])
        yield _gauge("queue_length", "requests that wait in a worker", [(w.model, w.queued) for w in workers])
        yield _gauge("waiting", "requests for which no worker has room", [(r.model, r.queued) for r in routers])


def _gauge(name: str, description: str, loads: list[tuple[str, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, description, labels=("model",))
    for model in dict.fromkeys(model for model, _ in loads):
        family.add_metric((model,), sum(load for other, load in loads if other == model))
    return family


REGISTRY.register(LoadCollector())


def render() -> str:
    """Return this process's metrics in Prometheus's text format."""
    return generate_latest(REGISTRY).decode()
