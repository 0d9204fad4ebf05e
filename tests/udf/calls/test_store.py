"""The call store: what is kept, for how long, and who may ask."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.calls import store as store_module
from quackllm.udf.calls.store import Call, CallStore, key_of
from quackllm.workers.errors import StoreError
from quackllm.workers.messages import Failure, Message, Request, Response, Usage
from quackllm.workers.options import Options

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
REQUESTS = st.builds(
    lambda texts, temperature, draw: Request(
        tuple(Message("user", text) for text in texts), Options(temperature=temperature, draw=draw)
    ),
    st.lists(TEXT, min_size=1, max_size=3),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 2),
)


@pytest.fixture
def store(tmp_path: Path) -> CallStore:
    return CallStore(tmp_path / "calls.sqlite")


def call(key: str, output: str = "answer", **fields: object) -> Call:
    return Call(key, "chat", "echo", "a prompt", Response(output, **fields))  # type: ignore[arg-type]


def test_an_answer_is_found_with_all_that_was_said(store: CallStore):
    said = Response("out", reasoning="because", usage=Usage(3, 4), seconds=1.5, request_id="r-1")
    vector = Response(None, embedding=(0.25, 0.5))
    store.settle([Call("k", "chat", "echo", "p", said), Call("v", "chat", "echo", "p", vector)])
    assert store.find(["k", "v", "unknown"]) == {"k": said, "v": vector}


def test_a_failure_is_recorded_and_not_kept(store: CallStore):
    refused = call("k", finish_reason="error", error=Failure("429", "busy", True))
    store.settle([refused, call("l", finish_reason="length")])
    assert store.find(["k", "l"]) == {}
    assert [row["code"] for row in store.calls(10)] == [None, "429"]
    (usage,) = store.usage()
    assert (usage["calls"], usage["failed"]) == (2, 2)


@settings(max_examples=200)
@given(one=REQUESTS, other=REQUESTS)
def test_the_key_is_the_same_for_the_same_request_only(one: Request, other: Request):
    assert (key_of("m", one) == key_of("m", other)) == (one == other)
    assert key_of("m", one) != key_of("n", one)


def test_a_time_limit_does_not_change_the_key():
    patient, hasty = Request.of("x"), Request((Message("user", "x"),), Options(timeout_seconds=3))
    assert key_of("m", patient) == key_of("m", hasty)


def test_one_holder_at_a_time_has_a_key(store: CallStore, tmp_path: Path):
    other = CallStore(tmp_path / "calls.sqlite")
    assert store.claim(["a", "b"], "me") == {"a", "b"}
    assert other.claim(["a", "b", "c"], "you") == {"c"}
    store.settle([call("a")])
    store.release(["b"])
    assert other.claim(["b"], "you") == {"b"}
    assert set(other.find(["a"])) == {"a"}


def test_the_leases_of_a_holder_that_fell_silent_are_taken_over(store: CallStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_module, "LEASE_SECONDS", -1.0)
    assert store.claim(["a"], "dead") == {"a"}
    monkeypatch.undo()
    assert store.claim(["a"], "alive") == {"a"}
    assert store.claim(["a"], "third") == set()


def test_the_file_keeps_to_its_size_and_the_oldest_go_first(tmp_path: Path):
    store = CallStore(tmp_path / "small.sqlite", max_bytes=400_000)
    for batch in range(20):
        store.settle([call(f"{batch}-{i}", "x" * 2000) for i in range(20)])
    assert store.bytes() <= 400_000
    assert len(store.find([f"19-{i}" for i in range(20)])) == 20
    assert store.find([f"0-{i}" for i in range(20)]) == {}


def test_forgetting_is_by_model_and_age(store: CallStore):
    store.settle([call("a"), Call("b", "other", "echo", "p", Response("x"))])
    assert store.forget(older_than_seconds=3600) == 0
    assert store.forget("other") == 1
    assert set(store.find(["a", "b"])) == {"a"}
    assert store.forget() == 1
    assert store.calls(10) == []


def test_what_is_no_store_is_refused(tmp_path: Path):
    path = tmp_path / "calls.sqlite"
    path.write_text("this is a letter, not a database, and it is long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="QUACKLLM_HOME"):
        CallStore(path)


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Disk:
        mountpoint, fstype = str(tmp_path), "nfs4"

    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [Disk])
    with pytest.raises(StoreError, match="network file system"):
        CallStore(tmp_path / "calls.sqlite")


def test_a_crash_in_the_middle_of_a_transaction_leaves_the_store_whole(store: CallStore, tmp_path: Path):
    store.settle([call("kept")])
    other = sqlite3.connect(tmp_path / "calls.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM answers")
    other.close()
    assert set(CallStore(tmp_path / "calls.sqlite").find(["kept"])) == {"kept"}
