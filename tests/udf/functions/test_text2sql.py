"""text2sql, text2sql_detail and ask in SQL, answered by the stand-in service."""

import pytest
from quackllm.workers.errors import SchemaError, Text2SQLError

import quackllm

GOOD = "SELECT name FROM singer WHERE age > 30 ORDER BY name"
BAD = "SELECT nam FROM singer"


@pytest.fixture
def connection(service):
    quackllm.deploy("coder", "saas/openai", infer_params=service.openai_params())
    with quackllm.connect(model="coder") as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR, age INTEGER)")
        connection.execute("INSERT INTO singer VALUES ('Ann', 32), ('Bo', 27), ('Cy', 45)")
        yield connection


def replies(service, *texts):
    service.script([{"fault": "reply", "text": text, "times": 1} for text in texts])


def value(connection, sql):
    return connection.execute(sql).fetchone()[0]


def test_text2sql_gives_the_query(connection, service):
    replies(service, f"Sure:\n```sql\n{GOOD};\n```")
    assert value(connection, "SELECT text2sql('who is older than 30?')") == GOOD
    (request,) = service.requests()
    assert "(age:INTEGER, Examples: [32, 27, 45])" in request["body"]["messages"][0]["content"]


def test_an_error_is_repaired_in_duckdbs_words(connection, service):
    replies(service, BAD, GOOD)
    detail = value(connection, "SELECT text2sql_detail('who is older than 30?')")
    assert (detail["sql"], detail["attempts"], detail["bound"], detail["model"]) == (GOOD, 2, True, "coder")
    assert 'Candidate bindings: "name"' in service.prompts()[1]


def test_generated_sql_that_does_harm_is_an_error_value(connection, service):
    replies(service, *["DROP TABLE singer"] * 4)
    with pytest.warns(UserWarning, match="guard"):
        detail = value(connection, "SELECT text2sql_detail('drop it')")
    assert (detail["sql"], detail["error"]["code"], detail["attempts"]) == (None, "guard", 4)
    assert value(connection, "SELECT count(*) FROM singer") == 3


def test_ask_runs_the_query(connection, service):
    replies(service, GOOD)
    assert connection.execute("FROM ask('who is older than 30?')").fetchall() == [("Ann",), ("Cy",)]
    assert service.count() == 1


def test_ask_stops_where_there_is_no_query(connection, service):
    replies(service, *["I would rather not."] * 4)
    with pytest.raises(Text2SQLError, match="no_sql"):
        connection.execute("FROM ask('who is older than 30?')").fetchall()


def test_a_follow_up_continues_the_conversation(connection, service):
    replies(service, GOOD, "SELECT count(*) FROM singer WHERE age > 30")
    connection.execute("CREATE TABLE turn1 AS SELECT text2sql_detail('who is older than 30?') AS answer")
    detail = value(connection, "SELECT text2sql_detail(llm_stack(answer, 'how many are that?')) FROM turn1")
    assert [turn["content"] for turn in detail["history"]] == [
        "who is older than 30?",
        GOOD,
        "how many are that?",
        "SELECT count(*) FROM singer WHERE age > 30",
    ]
    assert [m["role"] for m in service.requests()[1]["body"]["messages"]] == ["system", "user", "assistant", "user"]


def test_uncommitted_and_temp_tables_are_seen(connection, service):
    replies(service, "SELECT draft.i FROM draft, passing")
    connection.execute("BEGIN; CREATE TABLE draft (i INTEGER); CREATE TEMP TABLE passing (j INTEGER)")
    assert value(connection, "SELECT text2sql('what is in the draft?')") == "SELECT draft.i FROM draft, passing"
    connection.execute("ROLLBACK")


def test_a_schema_may_be_said(connection, service):
    replies(service, "SELECT title FROM book", "SELECT name FROM singer")
    assert (
        value(connection, "SELECT text2sql('titles?', schema := 'CREATE TABLE book (title TEXT)')")
        == "SELECT title FROM book"
    )
    assert value(connection, "SELECT text2sql('names?', schema := 'singer')") == "SELECT name FROM singer"
    with pytest.raises(SchemaError, match="'singr'"):
        connection.execute("SELECT text2sql('names?', schema := 'singr')").fetchall()


def test_without_tables_it_says_what_to_type(service):
    quackllm.deploy("coder", "saas/openai", infer_params=service.openai_params())
    with quackllm.connect() as connection, pytest.raises(SchemaError, match="CREATE TABLE"):
        connection.execute("SELECT text2sql('names?')").fetchall()


def test_a_column_of_questions(connection, service):
    service.script([{"fault": "reply", "text": GOOD}])
    rows = connection.execute(
        "SELECT text2sql('question ' || ['a', 'b', 'c', 'd', 'e'][i % 5 + 1]) FROM range(40) r(i)"
    ).fetchall()
    assert rows == [(GOOD,)] * 40
    assert service.count() == 5


def test_a_warning_says_what_of_the_schemas_ddl_was_left_out(connection, service):
    replies(service, "SELECT a FROM t")
    with pytest.warns(UserWarning, match=r"left out: line 1: in t '\* b' was not understood"):
        sql = value(connection, "SELECT text2sql('q', schema := 'CREATE TABLE t (a INT, * b)')")
    assert sql == "SELECT a FROM t"
