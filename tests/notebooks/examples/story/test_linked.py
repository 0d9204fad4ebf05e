"""The prompt form `linked`: what a question becomes, and the way from SQL to its tokens and back."""

from __future__ import annotations

import re
from contextlib import closing

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.udf.text2sql.confidence.sql_equivalence import equivalent_sql
from quackllm.udf.text2sql.evaluation.datasets import load_questions, load_schema, open_database
from quackllm.udf.text2sql.evaluation.scoring import run, same_rows
from quackllm.udf.text2sql.prompts.value_matching import match_values
from quackllm.udf.text2sql.schema.ddl import read_ddl
from quackllm.udf.text2sql.training_data import build_examples
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.messages import Message

from linked.prompt import (
    INDEX_TOKENS,
    MOST_COLUMNS,
    ask_linked,
    linked_prompt,
    read_linked,
    write_linked,
)

SINGER = read_ddl("CREATE TABLE singer (singer_id INT PRIMARY KEY, name VARCHAR, age INT, country VARCHAR)").schema
LIBRARY = read_ddl(
    'CREATE TABLE "图书" ("图书id" VARCHAR, "书名" VARCHAR, "价格" DOUBLE, "出版社id" VARCHAR);'
    'CREATE TABLE "出版社" ("出版社id" VARCHAR, "名称" VARCHAR);'
).schema


def asked(question: str) -> tuple[Message, ...]:
    return (Message("user", question),)


def prompt(question: str, schema: Schema, *values: tuple[str, str, str]) -> str:
    return ask_linked(asked(question), schema, values)[-1].content


def test_english_words_give_way_to_the_tokens_of_what_they_name() -> None:
    text = prompt("What are the names and ages of singers from France?", SINGER, ("singer", "country", "France"))
    assert text.splitlines()[1] == "what are the<c0> and<c1> of<t0> from<v0>=<c2>?"


def test_chinese_names_are_found_without_spaces_between_words() -> None:
    text = prompt("列出价格超过30的图书的书名。", LIBRARY)
    assert text.splitlines()[1] == "列出<c0>超过 number<v0>的<t0>的<c1>。"


def test_an_answer_over_tokens_becomes_sql_with_its_join() -> None:
    question = asked("每个出版社的图书的平均价格是多少？")
    gold = "SELECT 名称, AVG(价格) FROM 图书 JOIN 出版社 ON 图书.出版社id = 出版社.出版社id GROUP BY 名称"
    answer = write_linked(gold, question, LIBRARY, ())
    assert re.fullmatch(r"<c\d> AVG<c\d> GROUP<c\d>", answer or "")
    assert equivalent_sql(gold, read_linked(answer or "", question, LIBRARY, ()), LIBRARY)


def test_what_the_question_does_not_say_has_no_tokens() -> None:
    assert write_linked("SELECT name FROM singer WHERE country = 'Peru'", asked("Who?"), SINGER, ()) is None


@pytest.mark.parametrize("answer", ["", "<c99>", "<c0> WHERE", "SELECT name FROM singer", "<c0> <c0> END END", "🦆"])
def test_an_answer_that_is_no_query_gives_no_sql(answer: str) -> None:
    assert read_linked(answer, asked("List the names."), SINGER, ()) == ""


def test_gold_sql_of_the_sample_gives_the_same_rows_after_the_way_there_and_back() -> None:
    said, equal, total = 0, 0, 0
    by_database: dict[str, list[tuple[str, str, bool]]] = {}
    for one in load_questions("spider")[::6]:
        by_database.setdefault(one.db, []).append((one.question, one.sql, one.ordered))
    for name, rows in by_database.items():
        schema = load_schema(name)
        with closing(duckdb.connect()) as connection:
            open_database(connection, name)
            for question, sql, ordered in rows:
                total += 1
                sheet = linked_prompt(asked(question), schema, match_values(question, schema))
                answer = sheet.answer(sql)
                written = sheet.sql(answer) if answer is not None else None
                if written is not None:
                    said += 1
                    equal += same_rows(run(connection, sql)[0], run(connection, written)[0], ordered)
    assert said >= 0.7 * total
    assert equal >= 0.95 * said


@given(
    answer=st.lists(
        st.sampled_from(
            [
                *INDEX_TOKENS[:6],
                *INDEX_TOKENS[-9:],
                " WHERE",
                " =",
                " COUNT",
                " ORDER",
                " DESC",
                " LIMIT",
                " GROUP",
                " QUERY",
                " END",
                " INTERSECT",
                " >",
                " x",
            ]
        ),
        max_size=12,
    )
)
def test_whatever_a_model_says_is_sql_that_parses_or_nothing(answer: list[str]) -> None:
    question = asked("Show the name and age of singers older than 30 from France, 5 of them.")
    sql = read_linked("".join(answer), question, SINGER, (("singer", "country", "France"),))
    if sql:
        duckdb.extract_statements(sql)


names = st.text(st.sampled_from("abcdeXY_ 图书名称年 9"), min_size=1, max_size=9).filter(lambda text: text.strip())
tables = st.dictionaries(names, st.lists(names, min_size=1, max_size=12, unique_by=str.lower), min_size=1, max_size=8)


@settings(max_examples=60)
@given(tables=tables, question=st.text("abcde XY图书名称年的有 '9,.?", max_size=60))
def test_any_question_of_any_schema_is_one_short_prompt_of_known_tokens(
    tables: dict[str, list[str]], question: str
) -> None:
    schema = Schema(
        "s", tuple(Table(f'"{n}"', tuple(Column(c, "VARCHAR") for c in columns)) for n, columns in tables.items())
    )
    text = prompt(question, schema)
    assert text == prompt(question, schema)
    shown = re.findall(r"<[ctv]\d+>", text)
    assert set(shown) <= set(INDEX_TOKENS)
    assert len({token for token in shown if token[1] == "c"}) <= MOST_COLUMNS


def test_training_data_is_written_by_the_same_code() -> None:
    ddl = "CREATE TABLE singer (name VARCHAR, age INT)"
    rows = [
        (
            1,
            {
                "question": "List the names of singers with age above 30.",
                "sql": "SELECT name FROM singer WHERE age > 30",
                "schema": ddl,
            },
        ),
        (2, {"question": "List their names.", "sql": "SELECT upper(name) FROM singer", "schema": ddl}),
    ]
    (example,), (left_out,) = build_examples(rows, "linked:LINKED")
    question, answer = example.messages
    assert question.content == prompt("List the names of singers with age above 30.", read_ddl(ddl).schema)
    assert answer.content == "<c0> WHERE<c1> ><v0>"
    assert (left_out.line, left_out.kind) == (2, "form")
