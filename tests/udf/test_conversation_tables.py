"""Turns kept as tables: what they look like to SQL, and what they never replace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quackllm.udf.conversation_tables import check_turn_name, list_turns, load_history, load_turn, save_response
from quackllm.workers.errors import RequestError

import quackllm
from quackllm import Message, Response

HISTORY = (Message("system", 'it\'s "s"'), Message("user", "hi", ("data:x",)), Message("assistant", "你好 🦆"))
RESPONSE = Response("你好 🦆", model="m", history=HISTORY, seconds=1.5)


@pytest.fixture
def connection() -> Iterator[quackllm.Connection]:
    with quackllm.connect() as opened:
        yield opened


@pytest.mark.parametrize("column", [None, "q", 'a "b"'])
def test_a_turn_is_read_as_it_was_kept(connection, column: str | None):
    check_turn_name(connection, "q1")
    save_response(connection, "q1", Response("before"), column)
    check_turn_name(connection, "Q1")
    save_response(connection, "q1", RESPONSE, column)
    assert load_history(connection, "q1") == HISTORY
    assert list_turns(connection) == ["q1"]
    names = [name for name, *_ in connection.execute("DESCRIBE q1").fetchall()]
    assert names == ([column] if column else [*(load_turn(connection, "q1") or ())])
    value = "q1" if column is None else f'"{column.replace(chr(34), chr(34) * 2)}"'
    stacked = connection.execute(f"SELECT llm_stack({value}, 'more') FROM q1").fetchone()[0]
    assert [message["content"] for message in stacked["messages"]] == [*(m.content for m in HISTORY), "more"]


def test_a_table_of_the_users_own_is_never_replaced(connection):
    connection.execute("CREATE TABLE mine AS SELECT llm_chat('echo', 'hello') AS response")
    connection.execute("CREATE VIEW seen AS SELECT 1; CREATE TEMP TABLE temporary AS SELECT 1")
    for name in ("mine", "MINE", "seen", "temporary"):
        with pytest.raises(RequestError, match="already"):
            check_turn_name(connection, name)
    assert [message.content for message in load_history(connection, "mine")] == ["hello", "echo: hello"]


def test_a_null_turn_begins_a_conversation(connection):
    connection.execute("CREATE TABLE none AS SELECT llm_chat('echo', NULL) AS response")
    assert load_history(connection, "none") == ()


def test_what_was_kept_in_a_transaction_goes_with_it(connection):
    connection.begin()
    save_response(connection, "q1", RESPONSE)
    connection.rollback()
    assert list_turns(connection) == []
