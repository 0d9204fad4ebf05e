"""The call store: what is stored, for how long, and who may ask."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from quackllm.udf.calls import lease_table
from quackllm.udf.calls.async_store import open_store
from quackllm.udf.calls.call_record import CallRecord, context_json
from quackllm.udf.calls.call_store import CallStore, Deletion
from quackllm.udf.calls.request_key import Key, request_key
from quackllm.workers.errors import StoreError
from quackllm.workers.messages import Failure, Message, Request, Response, Usage
from quackllm.workers.options import Options
from quackllm.workers.serving.local_fleet import LocalFleet
from quackllm.workers.vectors import vector_bytes

ANY_TEXT = st.text(max_size=30)
REQUESTS = st.builds(
    lambda messages, temperature, draw, kind: Request(
        tuple(messages), Options(temperature=temperature, draw=draw), kind
    ),
    st.lists(
        st.builds(
            Message,
            st.sampled_from(["user", "system", "assistant"]),
            ANY_TEXT,
            st.sampled_from([(), ("https://example.com/a.png",)]),
            st.sampled_from(["", '{"name": "x"}']),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 2),
    st.sampled_from(["chat", "embed"]),
)


class Clock:
    """A clock that the test turns."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> CallStore:
    return CallStore(tmp_path / "calls.sqlite")


def key(name: str) -> Key:
    return blake2b(name.encode(), digest_size=20).digest()


def keys(names: str) -> list[Key]:
    return [key(name) for name in names]


def call(name: str, output: str | None = "answer", model: str = "chat", **fields: Any) -> CallRecord:
    return CallRecord(key(name), model, "echo", "a prompt", Response(output, **fields))


def test_an_answer_is_found_with_all_that_was_said(store: CallStore):
    said = Response("out", reasoning="because", usage=Usage(3, 4), seconds=1.5, request_id="r-1", tool_calls="[]")
    said = replace(said, logprobs=((("ou", -0.5), ("in", -1.5)), (("t", -0.25),)))
    vector = Response(None, embedding=vector_bytes([0.25, 0.5]))
    store.record(
        [CallRecord(key("k"), "chat", "echo", "p", said), CallRecord(key("v"), "chat", "echo", "p", vector)], "me"
    )
    expected = {key("k"): replace(said, from_store=True), key("v"): replace(vector, from_store=True)}
    assert store.get_many(keys("kvu")) == expected


@pytest.mark.parametrize("count", [1, 2, 64, 65, 1024, 1025, 3000])
def test_as_many_are_found_as_are_looked_up(store: CallStore, count: int):
    store.record([call(str(number), str(number)) for number in range(count)], "me")
    found = store.get_many([key(str(number)) for number in range(count)] + keys("xyz"))
    assert {name: answer.output for name, answer in found.items()} == {
        key(str(number)): str(number) for number in range(count)
    }
    assert store.get_many([]) == {}


def test_a_failure_is_recorded_and_not_stored(store: CallStore):
    refused = call("k", finish_reason="error", error=Failure("429", "busy", True))
    store.record([refused, call("l", finish_reason="length")], "me")
    assert store.get_many(keys("kl")) == {}
    assert [row["code"] for row in store.calls(10)] == [None, "429"]
    (usage,) = store.usage()
    assert (usage["calls"], usage["failed"]) == (2, 2)


def request_key_of_the_first_release(identity: str, request: Request) -> bytes:
    """The formula of the first stores, to the letter: version 1."""
    messages: list[list[Any]] = [[each.role, each.content, *each.images] for each in request.messages]
    if any(each.extra for each in request.messages):
        messages.append([each.extra for each in request.messages])
    text = json.dumps([identity, request.kind, messages, request.options.cache_key_json], ensure_ascii=False)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).digest()


@settings(max_examples=500)
@given(identity=ANY_TEXT, request=REQUESTS)
def test_the_key_is_that_of_the_first_stores(identity: str, request: Request):
    assert request_key(identity, request) == request_key_of_the_first_release(identity, request)


@settings(max_examples=200)
@given(one=REQUESTS, other=REQUESTS)
def test_the_key_is_the_same_for_the_same_request_only(one: Request, other: Request):
    assert (request_key("m", one) == request_key("m", other)) == (one == other)
    assert request_key("m", one) != request_key("n", one)


def test_a_time_limit_does_not_change_the_key():
    patient, hasty = Request.of("x"), Request((Message("user", "x"),), Options(timeout_seconds=3))
    assert request_key("m", patient) == request_key("m", hasty)


def test_one_owner_at_a_time_has_a_key(store: CallStore, tmp_path: Path):
    other = CallStore(tmp_path / "calls.sqlite")
    assert store.claim(keys("ab"), "me") == {*keys("ab")}
    assert other.claim(keys("abc"), "you") == set(), "what I am asking is not written yet"
    store.heartbeat("me")
    assert other.claim(keys("abc"), "you") == {key("c")}
    store.record([call("a")], "me")
    store.release(keys("b"), "me")
    assert other.claim(keys("b"), "you") == {key("b")}
    assert set(other.get_many(keys("a"))) == {key("a")}


def test_no_lease_is_written_while_nobody_else_is_there(store: CallStore, tmp_path: Path):
    def written() -> int:
        with sqlite3.connect(tmp_path / "calls.sqlite") as file:
            return int(file.execute("SELECT count(*) FROM leases").fetchone()[0])

    store.claim(keys("abc"), "me")
    assert written() == 0
    CallStore(tmp_path / "calls.sqlite").claim(keys("x"), "you")
    store.heartbeat("me")
    assert written() == 3


def test_who_has_nothing_under_way_holds_nobody_up(store: CallStore, tmp_path: Path):
    store.claim(keys("a"), "me")
    store.record([call("a")], "me")
    assert CallStore(tmp_path / "calls.sqlite").claim(keys("b"), "you") == {key("b")}


@pytest.mark.parametrize("written", [False, True])
def test_what_another_process_answered_since_the_look_up_is_not_sent_again(tmp_path: Path, written: bool):
    mine, yours = (CallStore(tmp_path / "calls.sqlite", leases_written=written) for _ in range(2))
    assert mine.get_many(keys("ab")) == {}
    assert yours.claim(keys("a"), "you") == {key("a")}
    yours.record([call("a")], "you")
    assert mine.claim(keys("ab"), "me") == {key("b")}


def test_leases_of_many_drivers_are_written(tmp_path: Path):
    store = CallStore(tmp_path / "calls.sqlite", leases_written=True)
    assert store.claim(keys("ab"), "one driver") == {*keys("ab")}
    assert store.claim(keys("bc"), "another") == {key("c")}
    restarted = CallStore(tmp_path / "calls.sqlite", leases_written=True)
    assert restarted.claim(keys("abcd"), "a third") == {key("d")}


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("later", [lease_table.LEASE_SECONDS + 0.1, -3600.0, -0.1], ids=["silent", "reset", "restart"])
def test_the_leases_of_an_owner_that_is_gone_are_taken_over(tmp_path: Path, written: bool, later: float):
    """Also where the clock says less than before: a lease never lasts longer than its own length."""
    clock = Clock()
    dead = CallStore(tmp_path / "calls.sqlite", clock=clock, leases_written=written)
    assert dead.claim(keys("a"), "dead") == {key("a")}
    clock.now += later
    alive = CallStore(tmp_path / "calls.sqlite", clock=clock, leases_written=written)
    assert alive.claim(keys("a"), "alive") == {key("a")}
    alive.heartbeat("alive")
    assert alive.claim(keys("a"), "alive") == {key("a")}, "its own"


def test_a_lease_lasts_while_its_owner_says_that_it_lives(tmp_path: Path):
    clock = Clock()
    mine, yours = (CallStore(tmp_path / "calls.sqlite", clock=clock) for _ in range(2))
    mine.claim(keys("a"), "me")
    for _ in range(10):
        clock.now += lease_table.LEASE_SECONDS / 3
        mine.heartbeat("me")
        assert yours.claim(keys("a"), "you") == set()


def test_the_wall_clock_has_no_say_in_leases(store: CallStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store.claim(keys("a"), "me")
    store.heartbeat("me")
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert CallStore(tmp_path / "calls.sqlite").claim(keys("a"), "you") == set()


def test_the_file_keeps_to_its_size_and_the_oldest_go_first(tmp_path: Path):
    store = CallStore(tmp_path / "small.sqlite", max_bytes=400_000)
    for batch in range(20):
        store.record([call(f"{batch}-{i}", "x" * 2000) for i in range(20)], "me")
    assert store.bytes() <= 400_000
    assert len(store.get_many([key(f"19-{i}") for i in range(20)])) == 20
    assert store.get_many([key(f"0-{i}") for i in range(20)]) == {}


def test_forgetting_is_by_model_and_age(store: CallStore):
    store.record([call("a"), call("b", model="other")], "me")
    assert store.forget(older_than_seconds=3600) == 0
    assert store.forget("nobody") == 0
    assert store.forget("other") == 1
    assert set(store.get_many(keys("ab"))) == {key("a")}
    assert [row["model"] for row in store.calls(10)] == ["chat"]
    assert store.forget() == 1
    assert store.calls(10) == []


def test_others_use_the_store_between_the_steps_of_forgetting(store: CallStore, tmp_path: Path):
    store.record([call(str(number)) for number in range(5000)], "me")
    other = CallStore(tmp_path / "calls.sqlite")
    deletion: Deletion | int = Deletion(None, before=2e9)
    steps = 0
    while isinstance(deletion, Deletion):
        deletion = store.forget_step(deletion)
        other.claim(keys("x"), "you")  # Would wait 30 seconds, and fail, if a lock were held between steps.
        steps += 1
    assert deletion == 5000
    assert steps > 5
    assert store.bytes() < 200_000, "the pages were given back to the disk"


def test_an_answer_that_cannot_be_read_again_is_not_written(store: CallStore, caplog: pytest.LogCaptureFixture):
    bad = [
        call("a", ["a part"]),  # type: ignore[arg-type]
        call("b", "half of a pair \ud83d"),
        call("c", usage=Usage("3", 4)),  # type: ignore[arg-type]
        call("d", embedding=("x",)),
        CallRecord(key("e"), "chat", "echo", "a prompt \ud83d", Response("fine")),
    ]
    store.record([*bad, call("f")], "me")
    assert set(store.get_many(keys("abcdef"))) == {*keys("ef")}
    assert len(caplog.records) == 1, "said once"
    assert store.calls(10)[1]["prompt"] == "a prompt ?"


@pytest.mark.parametrize("place", [*range(0, 60, 7), -1, -2, -3, -4])
def test_an_answer_with_a_flipped_bit_is_as_good_as_none(
    store: CallStore, tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
):
    store.record([call("a", "an answer of some length, so that every place is in it"), call("b")], "me")
    with sqlite3.connect(tmp_path / "calls.sqlite") as file:
        (answer,) = file.execute("SELECT answer FROM answers WHERE key = ?", (key("a"),)).fetchone()
        damaged = bytearray(answer)
        damaged[place] ^= 1
        file.execute("UPDATE answers SET answer = ? WHERE key = ?", (bytes(damaged), key("a")))
    for _ in range(2):
        assert set(store.get_many(keys("ab"))) == {key("b")}
    assert len(caplog.records) == 1, "said once"
    store.record([call("a", "anew")], "me")
    assert store.get_many(keys("a"))[key("a")].output == "anew"


@pytest.mark.parametrize("value", [None, 7, 1.5, "a text", b"", b"abc"])
def test_whatever_stands_where_an_answer_was_is_as_good_as_none(store: CallStore, tmp_path: Path, value: object):
    store.record([call("a"), call("b")], "me")
    with sqlite3.connect(tmp_path / "calls.sqlite") as file:
        file.execute("PRAGMA ignore_check_constraints=1")
        file.execute("UPDATE answers SET answer = coalesce(?, '') WHERE key = ?", (value, key("a")))
    assert set(store.get_many(keys("ab"))) == {key("b")}


def test_the_answer_of_another_request_is_as_good_as_none(store: CallStore, tmp_path: Path):
    store.record([call("a")], "me")
    with sqlite3.connect(tmp_path / "calls.sqlite") as file:
        file.execute("UPDATE answers SET key = ?", (key("b"),))
    assert store.get_many(keys("ab")) == {}


def test_what_is_no_store_is_refused(tmp_path: Path):
    path = tmp_path / "calls.sqlite"
    path.write_text("this is a letter, not a database, and it is long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="QUACKLLM_HOME"):
        CallStore(path)


def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path):
    with sqlite3.connect(tmp_path / "calls.sqlite") as file:
        file.execute("CREATE TABLE users (name TEXT)")
    with pytest.raises(StoreError, match="another program's database"):
        CallStore(tmp_path / "calls.sqlite")
    assert file.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]


@pytest.mark.parametrize("fault", ["PRAGMA user_version=-5", "DROP TABLE answers"])
def test_a_store_whose_tables_are_damaged_says_what_to_do(home: Path, fault: str):
    CallStore(home / "calls.sqlite").close()
    with sqlite3.connect(home / "calls.sqlite") as file:
        file.execute(fault)
    with pytest.raises(StoreError) as caught:
        asyncio.run(open_store(LocalFleet()).call(CallStore.get_many, [b"key"]))
    assert "to begin a new one" in caught.value.hint


def test_a_newer_store_is_refused_and_left_as_it_is(store: CallStore, tmp_path: Path):
    store.record([call("a")], "me")
    with sqlite3.connect(tmp_path / "calls.sqlite") as file:
        file.execute("PRAGMA user_version=999")
    store.close()
    before = (tmp_path / "calls.sqlite").read_bytes()
    with pytest.raises(StoreError, match="newer quackllm") as caught:
        CallStore(tmp_path / "calls.sqlite")
    assert "install that" in caught.value.hint
    assert (tmp_path / "calls.sqlite").read_bytes() == before


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Disk:
        mountpoint, fstype = str(tmp_path), "nfs4"

    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [Disk])
    with pytest.raises(StoreError, match="network file system"):
        CallStore(tmp_path / "calls.sqlite")


def test_a_crash_in_the_middle_of_a_transaction_leaves_the_store_whole(store: CallStore, tmp_path: Path):
    store.record([call("stored")], "me")
    other = sqlite3.connect(tmp_path / "calls.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM answers")
    other.close()
    assert set(CallStore(tmp_path / "calls.sqlite").get_many([key("stored")])) == {key("stored")}


def test_a_call_is_recorded_whole_and_shares_what_comes_before(store: CallStore) -> None:
    context = context_json([Message("system", "be brief"), Message("user", "x")])
    calls = [
        CallRecord(key(str(number)), "chat", "echo", "word " * 900, Response("out"), context, "ai_filter")
        for number in range(3)
    ]
    store.record(calls, "me")
    rows = store.calls(10)
    assert [(row["prompt"], row["function"]) for row in rows] == [("word " * 900, "ai_filter")] * 3
    assert json.loads(rows[0]["context"]) == [{"role": "system", "content": "be brief"}]
    count = "SELECT count(*) FROM contexts"
    assert store._connection.execute(count).fetchone() == (1,)
    store.forget()
    assert store._connection.execute(count).fetchone() == (0,)


def test_a_file_whose_calls_have_no_function_gets_the_column(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    CallStore(path).close()
    with sqlite3.connect(path) as file:
        for statement in ("ALTER TABLE calls DROP COLUMN context", "ALTER TABLE calls DROP COLUMN function"):
            file.execute(statement)
        file.execute("DROP TABLE contexts")
        file.execute("INSERT INTO calls (at, model, prompt) VALUES (1, 'chat', 'of before')")
    file.close()
    opened = CallStore(path)
    opened.record([CallRecord(key("a"), "chat", "echo", "new", Response("out"), "[]", "ai_score")], "me")
    assert [(row["prompt"], row["function"]) for row in opened.calls(10)] == [("new", "ai_score"), ("of before", None)]
