"""A Chinese reader of the console reads why there is no answer, and what speaks against one, in Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from quackllm.deploy.gateway.console.in_sandbox import guarded
from quackllm.udf.session.session import several_models
from quackllm.udf.text2sql.confidence.doubts import find_doubts
from quackllm.udf.text2sql.confidence.query_rows import QueryRows
from quackllm.udf.text2sql.confidence.sql_facts import sql_facts
from quackllm.workers.builtin.knowing.small_talk import reason_to_refuse
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table
from quackllm.workers.errors import GuardError

SOURCE = Path(__file__).parents[4] / "deploy/gateway/console/front/src/reasons.ts"
REASONS = dict(re.findall(r'^  \["(.+)", "(.+)"\],$', SOURCE.read_text("utf-8"), re.M))
SHOP = Schema(
    "shop",
    (
        Table("customer", (Column("id", "INTEGER", primary_key=True), Column("city", "VARCHAR", values=("Rome",)),
                           Column("credit", "INTEGER"))),
        Table("purchase", (Column("id", "INTEGER", primary_key=True), Column("customer_id", "INTEGER"))),
    ),
    (ForeignKey("purchase", "customer_id", "customer", "id"),),
)  # fmt: skip
JOINED = "SELECT sum(c.credit) FROM customer c JOIN purchase p ON p.customer_id = c.id WHERE c.city = 'Pariss'"


def is_known(sentence: str) -> bool:
    """Whether the page has Chinese for a sentence, which it finds as the page itself does."""
    patterns = (re.sub(r"\\\{\d\\\}", "(.+?)", re.escape(english)) for english in REASONS)
    return any(re.fullmatch(pattern, sentence, re.DOTALL) for pattern in patterns)


def test_each_sentence_names_the_same_things_in_both_languages() -> None:
    assert len(REASONS) > 50
    for english, chinese in REASONS.items():
        assert set(re.findall(r"\{\d\}", english)) == set(re.findall(r"\{\d\}", chinese)), english
        assert re.search(r"[\u4e00-\u9fff]", chinese), english


@pytest.mark.parametrize(
    "text", ["?!", "hello", "delete all customers", "combien de clients dans chaque ville", "asdf qwer zxcv"]
)
def test_what_is_no_question_is_refused_in_chinese(text: str) -> None:
    reason = reason_to_refuse(text)
    assert is_known(reason or ""), reason


@pytest.mark.parametrize(
    "rows",
    [QueryRows(), QueryRows(((None,),)), QueryRows(error="Conversion Error"), None],
    ids=["empty", "null", "error", "not run"],
)
def test_every_doubt_is_told_in_chinese(rows: QueryRows | None) -> None:
    doubts = find_doubts("credit of 'Rome' over 12", sql_facts(JOINED, SHOP), SHOP, [], rows)
    assert {"multiplied", "ignored"} < {doubt.kind for doubt in doubts} | {"no_such_cell"}
    assert not [doubt.text for doubt in doubts if not is_known(doubt.text)]
    assert is_known(several_models(["a", "b"], "Choose one in the list Model, e.g. a"))


@pytest.mark.parametrize(
    "sql",
    [
        *(
            "DROP TABLE t",
            "SELECT 1; SELECT 2",
            "SELECT (",
            "FROM duckdb_secrets()",
            "FROM '/etc/passwd'",
            "FROM other",
        ),
        *("SELECT getenv('x')", "SELECT main.lower('a')", "FROM information_schema.tables", "SELECT $a", ""),
    ],
)
def test_what_may_not_run_is_told_in_chinese(sql: str) -> None:
    with pytest.raises(GuardError) as caught:
        guarded(sql, SHOP, "duckdb")
    refused = caught.value.message.removeprefix("the generated SQL may not run: ")
    assert is_known(refused), refused
