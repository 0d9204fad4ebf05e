"""The estimate of questions to text2sql: rows, calls and tokens come from the prompts; stored answers are known."""

from __future__ import annotations

import pytest

import quackllm

QUESTIONS = """
CREATE TABLE singer (name VARCHAR, age INTEGER);
CREATE TABLE question AS FROM (VALUES ('How many singers are there?'), ('What is the average age of singers?'),
    ('How many singers are there?'), (NULL)) AS t (text)
"""
STATEMENT = "SELECT text2sql(text, schema := 'singer') FROM question"


def estimated(connection: quackllm.Connection, sql: str = STATEMENT) -> quackllm.ModelEstimate:
    (found,) = quackllm.estimate(connection, sql)
    return found


def test_questions_are_counted_before_they_are_sent_and_known_afterwards() -> None:
    with quackllm.connect(model="builtin_text2sql") as connection:
        connection.execute(QUESTIONS)
        before = estimated(connection)
        assert (before.rows, before.calls, before.known, before.to_ask) == (3, 2, 0, 2)
        assert before.input_tokens
        assert before.output_tokens

        connection.execute(STATEMENT).fetchall()
        after = estimated(connection)
        assert (after.rows, after.calls, after.known, after.to_ask) == (3, 2, 2, 0)
        assert after.input_tokens == 0


def test_a_question_without_an_answer_would_be_sent_again() -> None:
    with quackllm.connect(model="builtin_text2sql") as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR, age INTEGER)")
        sql = "SELECT text2sql('What does a duck eat?')"
        with pytest.warns(quackllm.FailedRowsWarning):
            connection.execute(sql).fetchall()
        assert estimated(connection, sql).to_ask == 1


def test_a_follow_up_question_is_known_with_the_first() -> None:
    with quackllm.connect(model="builtin_text2sql") as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR, age INTEGER)")
        sql = (
            "SELECT text2sql(llm_stack(text2sql_detail('How many singers are there?'), 'How old are they on average?'))"
        )
        before = estimated(connection, sql)
        assert (before.calls, before.to_ask, before.at_most) == (2, 2, True)
        connection.execute(sql).fetchall()
        after = estimated(connection, sql)
        assert (after.calls, after.known, after.to_ask) == (2, 2, 0)
