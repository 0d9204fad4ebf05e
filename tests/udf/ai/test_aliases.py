"""Other databases' SQL as it is written there: Snowflake, BigQuery, Databricks, MotherDuck; off unless asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from quackllm.udf.ai.aliases import ALIASES

import quackllm
from standin.fixtures import StandIn


@pytest.fixture
def connection(service: StandIn, request: pytest.FixtureRequest) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    with quackllm.connect(aliases=getattr(request, "param", list(ALIASES))) as connection:
        connection.execute("CREATE TABLE review AS SELECT 'The soup was cold.' AS body")
        yield connection


STATEMENTS: list[tuple[str, str, Any, str]] = [
    ("SELECT AI_FILTER(PROMPT('Is {0} a dish of {1}?', 'borscht', 'Ukraine'))", "yes", True, "BOOLEAN"),
    ("SELECT AI_FILTER(body, 'complains') FROM review", "no", False, "BOOLEAN"),
    ("SELECT AI_CLASSIFY(body, ['praise', 'complaint']) FROM review", "praise", {"labels": ["praise"]},
     "STRUCT(labels ENUM('praise', 'complaint')[])"),
    ("SELECT AI_COMPLETE('judge', 'Say a word.')", "duck", "duck", "VARCHAR"),
    ("SELECT AI_SUMMARIZE_AGG(body) FROM review", "cold", "cold", "VARCHAR"),
    ("SELECT AI_AGG(body, 'What is wrong?') FROM review", "cold", "cold", "VARCHAR"),
    ("SELECT AI.IF(('Is this about food? ', body), connection_id => 'us.x') FROM review", "yes", True, "BOOLEAN"),
    ("SELECT AI_CLASSIFY('I will see the world and cook', ['travel', 'cooking', 'reading'], {'output_mode': 'multi'})",
     '{"labels": ["cooking", "travel"]}', {"labels": ["travel", "cooking"]},
     "STRUCT(labels ENUM('travel', 'cooking', 'reading')[])"),
    ("SELECT AI_CLASSIFY(body, [{'label': 'praise', 'description': 'says something good'}, {'label': 'complaint'}], "
     "{'task_description': 'What the guest says', 'examples': [{'input': 'Great!', 'labels': ['praise'], "
     "'explanation': 'It is great.'}]}) FROM review",
     "complaint", {"labels": ["complaint"]}, "STRUCT(labels ENUM('praise', 'complaint')[])"),
    ("SELECT AI_COMPLETE(model => 'judge', prompt => 'Say a word.', model_parameters => {'temperature': 0.7})", "duck",
     "duck", "VARCHAR"),
    ("SELECT AI_TRANSLATE('The soup', 'en', 'de')", "Die Suppe", "Die Suppe", "VARCHAR"),
    ("SELECT AI.SCORE(('On a scale from 1 to 10, rate how angry this is: ', body), endpoint => 'judge') FROM review",
     '{"value": 7}', 7.0, "DOUBLE"),
    ("SELECT AI.CLASSIFY(body, categories => [('good', 'says something good'), ('bad', 'complains')]) FROM review",
     "bad", "bad", "VARCHAR"),
    ("SELECT AI.CLASSIFY(body, categories => ['a', 'b']) FROM review", "b", "b", "VARCHAR"),
    ("SELECT AI.GENERATE_INT(('How many? ', body)).result FROM review", '{"value": 2}', 2, "BIGINT"),
    ("SELECT AI.GENERATE_BOOL('Is it?').status", '{"value": true}', "", "VARCHAR"),
    ("SELECT AI.GENERATE(('Who? ', body), output_schema => 'dish STRING, cold BOOL') FROM review",
     '{"value": {"dish": "soup", "cold": true}}', {"dish": "soup", "cold": True, "status": ""},
     "STRUCT(dish VARCHAR, cold BOOLEAN, status VARCHAR)"),
    ("SELECT AI.GENERATE(body, output_schema => 'parts ARRAY<STRUCT<name STRING, grams FLOAT64>>, n INT64').parts "
     "FROM review", '{"value": {"parts": [{"name": "leek", "grams": 1.5}], "n": 1}}', [{"name": "leek", "grams": 1.5}],
     'STRUCT("name" VARCHAR, grams DOUBLE)[]'),
    ("SELECT ai_query('judge', 'Say a word.')", "duck", "duck", "VARCHAR"),
    ("SELECT ai_query('judge', 'How many?', returnType => 'INT')", '{"value": 3}', 3, "INTEGER"),
    ("SELECT ai_query('judge', body, failOnError => false) FROM review", '{"value": "x"}',
     {"result": "x", "errorMessage": None}, "STRUCT(result VARCHAR, errorMessage VARCHAR)"),
    ("SELECT ai_gen('Say a word.')", "duck", "duck", "VARCHAR"),
    ("SELECT ai_analyze_sentiment(body) FROM review", "negative", "negative",
     "ENUM('positive', 'negative', 'neutral', 'mixed')"),
    ("SELECT prompt('Say a word.')", "duck", "duck", "VARCHAR"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "said", "value", "sql_type"), STATEMENTS)
def test_a_statement_runs_as_it_is_written_there(
    statement: str, said: str, value: Any, sql_type: str, connection: quackllm.Connection, service: StandIn
) -> None:
    service.script([{"fault": "reply", "text": said}])
    assert connection.execute(statement).fetchone() == (value,)
    assert service.count() == 1
    described = connection.execute(f"DESCRIBE {statement}").fetchone()
    assert described is not None
    assert described[1] == sql_type


@pytest.mark.parametrize("connection", [["motherduck"]], indirect=True)
def test_motherducks_prompt_has_a_type(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": '{"value": [1, 2]}'}])
    row = connection.execute("SELECT prompt('Two numbers?', return_type := 'INTEGER[]', model := 'judge')").fetchone()
    assert row == ([1, 2],)
    service.script([{"fault": "reply", "text": '{"value": {"summary": "good", "stars": 5}}'}])
    row = connection.execute(
        "SELECT prompt('My zoo visit was amazing', struct := {summary: 'VARCHAR', stars: 'INTEGER'}, "
        "struct_descr := {stars: 'from 1 (bad) to 5 (very good)'}, temperature := 0.5)"
    ).fetchone()
    assert row == ({"summary": "good", "stars": 5},)
    assert "from 1 (bad) to 5 (very good)" in service.requests()[-1]["body"]["messages"][0]["content"]


def test_the_settings_of_ai_classify_reach_the_prompt(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "praise"}])
    connection.execute(
        "SELECT AI_CLASSIFY('x', [{'label': 'praise', 'description': 'something good'}, {'label': 'complaint'}], "
        "{'task_description': 'What guests say', 'examples': [{'input': 'Great!', 'labels': ['praise']}]})"
    ).fetchall()
    service.script([{"fault": "reply", "text": '{"labels": []}'}])
    connection.execute(
        "SELECT AI_CLASSIFY('x', ['a', 'b'], {'output_mode': 'multi', 'examples': [{'input': 'y', 'labels': ['b']}]})"
    ).fetchall()
    (system, *shown), several = (request["body"]["messages"] for request in service.requests())
    assert "\npraise: something good\ncomplaint\n" in system["content"]
    assert "What guests say" in system["content"]
    assert [turn["content"] for turn in shown] == ["Great!", "praise", "x"]
    assert [turn["content"] for turn in several[1:]] == ["y", '{"labels": ["b"]}', "x"]


def test_the_template_is_filled_and_asks_nothing(connection: quackllm.Connection, service: StandIn) -> None:
    row = connection.execute("SELECT PROMPT('{1} and {0}', 'a', 2), PROMPT('no {0}', NULL)").fetchone()
    assert row == ("2 and a", "no ")
    assert service.count() == 0


def test_a_whole_question_is_planned_like_any_filter(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "yes"}])
    connection.execute("CREATE TABLE many AS SELECT 'dish ' || i AS body FROM range(500) t (i)")
    connection.execute("SELECT body FROM many WHERE AI_FILTER(PROMPT('Is {0} cold?', body)) LIMIT 3").fetchall()
    assert service.count() < 100


def test_they_are_off_by_default_and_a_wrong_name_says_what_to_type(service: StandIn) -> None:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        for statement in ("SELECT ai_query('judge', 'x')", "SELECT AI.IF('x')", "SELECT prompt('x')"):
            with pytest.raises(Exception, match=r"does not (exist|support)"):
                connection.execute(statement)
    with pytest.raises(quackllm.QuackLLMError, match="there are no aliases 'snowflakes'"):
        quackllm.connect(aliases=["snowflakes"])
