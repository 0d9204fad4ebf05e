from __future__ import annotations

import random
from pathlib import Path

import pytest
from quackllm.udf.text2sql.builtin_training import business_forms, business_questions
from quackllm.udf.text2sql.builtin_training.renamed_schemas import abbreviated, in_english
from quackllm.udf.text2sql.builtin_training.training_examples import make_example
from quackllm.udf.text2sql.builtin_training.unanswerable import unanswerable_example
from quackllm.udf.text2sql.evaluation.databases import open_source
from quackllm.udf.text2sql.evaluation.datasets import load_questions
from quackllm.udf.text2sql.schema.resolve import resolve_schema
from quackllm.workers.binder import Binder
from quackllm.workers.builtin.network.schema_linking import PreviousTurn, SchemaLinks
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.grammar import is_keyword
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Schema

pytest_plugins = ["support.builtin_shop"]
CHINESE = """CREATE TABLE 门店 (门店编号 INTEGER PRIMARY KEY, 店名 VARCHAR, 城市 VARCHAR, 面积 DOUBLE, 租金 DOUBLE);
CREATE TABLE 订单 (订单编号 INTEGER PRIMARY KEY, 门店编号 INTEGER REFERENCES 门店 (门店编号),
    支付方式 VARCHAR, 金额 DOUBLE, 数量 INTEGER);"""


@pytest.fixture
def chinese() -> SchemaLinks:
    return SchemaLinks(SchemaIndex(resolve_schema(CHINESE, Schema()).schema))


def test_every_form_is_drawn_in_both_languages(links: SchemaLinks, chinese: SchemaLinks) -> None:
    assert {form for _, form in business_questions.CHOICES} == set(business_forms.FORMS)
    spoken = business_questions.spoken_schemas({"shop": links}, {"门店": chinese})
    assert {one.chinese for one in spoken} == {True, False}
    chance = random.Random(0)
    made = [asked for _ in range(150) if (asked := business_questions.business_question(chance.choice(spoken), chance))]
    assert len(made) > 100
    for schema, question, tree in made:
        assert "{" not in question
        assert Binder(schema.names.schema).binds(format_sql(tree, schema.names)), question
    assert sum(make_example(question, schema, tree) is not None for schema, question, tree in made) > 90


def test_renamed_schemas_keep_their_joins(chinese: SchemaLinks, links: SchemaLinks) -> None:
    for names, renamed in ((chinese.names, in_english), (links.names, abbreviated)):
        other = SchemaIndex(renamed(names, random.Random(1)))
        assert other.edges == names.edges
        assert [column.type for column in other.columns] == [column.type for column in names.columns]
    english = SchemaIndex(in_english(chinese.names, random.Random(1)))
    assert all(name.isascii() for name in (table.name for table in english.tables))


def test_a_question_without_its_column_is_declined(links: SchemaLinks) -> None:
    turn = PreviousTurn("What is the age of Bob?", parse_sql("SELECT age FROM customers", links.names))
    example = unanswerable_example(turn, links, random.Random(0))
    assert example is not None
    assert is_keyword(example.symbols[0], "DECLINE")
    unnamed = PreviousTurn("How old is Bob?", parse_sql("SELECT name FROM customers", links.names))
    assert unanswerable_example(unnamed, links, random.Random(0)) is None, "nothing in the question says 'name'"


def test_every_reference_answer_of_the_suite_runs_and_has_rows() -> None:
    asked = load_questions("business")
    assert len(asked) == 300
    assert len({one.db for one in asked}) == 10
    for database in sorted({one.db for one in asked}):
        with open_source(database) as connection:
            for sql in {one.sql for one in asked if one.db == database}:
                rows = connection.execute(sql).fetchall()
                assert rows, sql


def test_no_template_has_a_question_of_the_suite() -> None:
    source = Path(business_forms.__file__).read_text(encoding="utf-8")
    assert [one.question for one in load_questions("business") if one.question in source] == []
