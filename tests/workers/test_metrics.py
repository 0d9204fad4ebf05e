"""What a process counts for each model, and what its log contains and does not contain."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from quackllm.workers import log_events, metrics

import quackllm
from standin.fixtures import KEY, StandIn


def found(model: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one model, by name and the other labels."""
    samples = [s for family in text_string_to_metric_families(metrics.render()) for s in family.samples]
    return {
        (
            sample.name.removeprefix("quackllm_"),
            *(v for k, v in sorted(sample.labels.items()) if k != "model"),
        ): sample.value
        for sample in samples
        if sample.labels.get("model") == model
    }


def test_requests_errors_tokens_money_and_hits_are_counted(service: StandIn, home) -> None:
    (home / "prices.yaml").write_text("counted: {input: 1000, output: 2000}")
    quackllm.deploy("counted", "openai", infer_params=service.openai_params())
    service.script([{"fault": "bad_request", "marker": "row 3"}])
    sql = "SELECT counted('row ' || i) FROM range(5) t(i)"
    with quackllm.connect() as connection, pytest.warns(UserWarning, match="1 request"):
        connection.execute(sql).fetchall()
    after = found("counted")
    assert after["requests_total", "stop"] == 4
    assert after["requests_total", "error"] == 1
    (error,) = [value for key, value in after.items() if key[0] == "errors_total"]
    assert error == 1
    read, written = after["tokens_total", "input"], after["tokens_total", "output"]
    state = service.state()
    assert (read, written) == (state["input_tokens"], state["output_tokens"])
    assert after["money_total",] == pytest.approx((read * 1000 + written * 2000) / 1e6)
    assert after["in_flight",] == after["queue_length",] == after["waiting",] == 0
    assert after.get(("cache_hits_total",), 0) == 0
    with quackllm.connect() as connection:
        connection.execute(sql.replace("5", "3")).fetchall()
    assert found("counted")["cache_hits_total",] == 3
    assert found("counted")["requests_total", "stop"] == 4


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log of a replica at level debug."""
    before = (log_events.LOG.handlers, log_events.LOG.level, log_events.LOG.propagate)
    written = io.StringIO()
    monkeypatch.setenv("QUACKLLM_LOG", "debug")
    monkeypatch.setattr("sys.stderr", written)
    log_events.configure_logging()
    yield written
    log_events.LOG.handlers, log_events.LOG.level, log_events.LOG.propagate = before[0], before[1], before[2]
    logging.getLogger("quackllm").setLevel(before[1])


@pytest.mark.parametrize("prompts", [False, True])
def test_a_log_has_prompts_only_when_asked(
    service: StandIn, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, prompts: bool
) -> None:
    if prompts:
        monkeypatch.setenv("QUACKLLM_LOG_PROMPTS", "1")
    quackllm.deploy("diarist", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        connection.execute(f"SELECT diarist('my diary {prompts}')").fetchall()
    text = log.getvalue()
    answered = [line for line in map(json.loads, text.splitlines()) if line["event"] == "answered"]
    assert [(line["model"], line["outcome"]) for line in answered] == [("diarist", "stop")]
    assert answered[0]["request_id"]
    assert ("diary" in text) == prompts
    assert KEY not in text
