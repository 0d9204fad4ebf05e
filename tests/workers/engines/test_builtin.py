from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from quackllm.udf.text2sql.checks.model_remarks import read_remarks
from quackllm.workers.builtin.network import weights_file
from quackllm.workers.builtin.text import word_meanings, word_vectors
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table
from quackllm.workers.deployments.spec import make_spec
from quackllm.workers.engines.builtin import BuiltinEngine, BuiltinSettings, split_turns
from quackllm.workers.errors import ProviderError, SetupError
from quackllm.workers.messages import Message, Request, Response
from quackllm.workers.mschema import format_mschema

pytest_plugins = ["support.builtin_shop"]

MAX_BYTES = 22_500_000  # The wheel may have 24 MB.


def ask(schema: str | None, *turns: str) -> Response:
    """Return the committed model's answer; turns are questions and their SQL alternately, a question last."""
    messages = [Message("system", schema)] if schema else []
    messages += [Message("assistant" if place % 2 else "user", turn) for place, turn in enumerate(turns)]

    async def answer() -> Response:
        engine = BuiltinEngine(BuiltinSettings())
        await engine.start()
        response = await engine.answer(Request(tuple(messages)))
        await engine.close()
        return response

    return asyncio.run(answer())


def test_questions_are_answered(shop: Schema) -> None:
    response = ask(format_mschema(shop), "How many customers are there?")
    assert response.output == "SELECT COUNT(*) FROM customers"
    assert response.usage.input_tokens > 10
    assert response.usage.output_tokens == 3


def test_joins_go_along_the_keys(shop: Schema) -> None:
    sql = (
        ask(
            format_mschema(shop), "What are the names of customers with orders whose amount is greater than 100?"
        ).output
        or ""
    )
    assert "orders.customer_id = customers.id" in sql
    assert "amount > 100" in sql


def test_values_are_spelled_as_the_cells_are(shop: Schema) -> None:
    schema = format_mschema(shop) + "\n【Values】\ncustomers.city = 'New York'\ncustomers.name = 'O''Hara'"
    sql = ask(schema, "What is the average age of the customers in new york?").output or ""
    assert sql == "SELECT AVG(age) FROM customers WHERE city = 'New York'"
    assert "O''Hara" in (ask(schema, "What is the age of the customer with name o'hara?").output or "")


def test_a_follow_up_keeps_what_was_said(shop: Schema) -> None:
    schema = format_mschema(shop) + "\n【Values】\ncustomers.city = 'Paris'"
    first = ask(schema, "Show the names of customers whose city is Paris.").output or ""
    assert first == "SELECT name FROM customers WHERE city = 'Paris'"
    second = (
        ask(schema, "Show the names of customers whose city is Paris.", first, "Also show their ages.").output or ""
    )
    assert second == "SELECT name, age FROM customers WHERE city = 'Paris'"


def test_what_the_schema_cannot_answer_is_declined(shop: Schema) -> None:
    with pytest.raises(ProviderError) as caught:
        ask(format_mschema(shop), "Which stadiums hosted the most concerts by singers from France?")
    assert (caught.value.code, caught.value.retryable, caught.value.setup) == ("declined", False, False)


@pytest.mark.parametrize(
    ("question", "sql"),
    [
        ("Show me a graph of the number of customers per city", "SELECT city, COUNT(*) FROM customers GROUP BY city"),
        ("What is the average order?", "SELECT AVG(amount) FROM orders"),
        (
            "How many orders on 1 June 2025?",
            "SELECT COUNT(*) FROM orders WHERE ordered_on >= DATE '2025-06-01' AND ordered_on < DATE '2025-06-02'",
        ),
    ],
)
def test_everyday_words_are_read(shop: Schema, question: str, sql: str) -> None:
    assert ask(format_mschema(shop), question).output == sql


def test_revenue_is_the_product_that_makes_it(shop: Schema) -> None:
    lines = Table(
        "order_lines", (Column("order_id", "BIGINT"), Column("quantity", "INTEGER"), Column("price", "DOUBLE"))
    )
    orders = replace(shop.tables[1], columns=shop.tables[1].columns[:-1])
    key = ForeignKey("order_lines", "order_id", "orders", "id")
    schema = Schema("shop", (shop.tables[0], orders, lines), (shop.foreign_keys[0], key))
    assert ask(format_mschema(schema), "What is our total revenue?").output == (
        "SELECT SUM(quantity * price) FROM order_lines"
    )


def test_words_of_time_become_a_condition_and_are_never_dropped(shop: Schema) -> None:
    response = ask(format_mschema(shop), "What is the total amount of orders last month?")
    assert response.output is not None
    assert "ordered_on >= date_trunc('month', current_date) - INTERVAL 1 MONTH" in response.output
    schema = "# Table: sale\n[\n(id:INTEGER, Primary Key),\n(amount:DOUBLE)\n]"
    with pytest.raises(ProviderError, match='"last month": no table of this question has a date') as caught:
        ask(schema, "total amount last month")
    assert caught.value.code == "declined"
    followed = ask(
        format_mschema(shop), "total amount of orders last month", response.output, "How many orders are there?"
    )
    assert "the period of the previous answer is left out" in (followed.reasoning or "")


def test_every_answer_says_how_sure_it_is(shop: Schema) -> None:
    remarks = read_remarks("", ask(format_mschema(shop), "How many customers are there?").reasoning)
    assert remarks.confidence is not None
    assert 0.5 < remarks.confidence <= 1


def test_below_a_bound_the_model_declines(shop: Schema) -> None:
    async def answer() -> Response:
        engine = BuiltinEngine(BuiltinSettings(min_confidence=1.0))
        await engine.start()
        messages = (Message("system", format_mschema(shop)), Message("user", "How many customers are there?"))
        return await engine.answer(Request(messages))

    with pytest.raises(ProviderError, match="not sure enough") as caught:
        asyncio.run(answer())
    assert caught.value.code == "declined"


@pytest.mark.parametrize("text", ["thanks!", "Delete all customers", "谢谢", "Wie viele Kunden gibt es?"])
def test_what_is_no_question_is_declined_with_a_reason(shop: Schema, text: str) -> None:
    with pytest.raises(ProviderError, match=r"no question|only reads|reads English"):
        ask(format_mschema(shop), text)


@pytest.mark.parametrize("schema", [None, "You are a helpful assistant.", "【DB_ID】 empty\n【Schema】"])
def test_chat_needs_a_real_model(schema: str | None) -> None:
    with pytest.raises(ProviderError, match="chat needs a real model") as caught:
        ask(schema, "Tell me a joke.")
    assert caught.value.code == "no_schema"
    assert not caught.value.setup


def test_a_turn_that_cannot_be_read_harms_nothing(shop: Schema) -> None:
    assert ask(format_mschema(shop), "What?", "WITH x AS (SELECT 1) FROM x", "How many products are there?").output


@pytest.mark.parametrize("question", ["", "?", "😀 🙂", "x" * 5000, "a " * 2000, "'; DROP TABLE customers; --"])
def test_odd_questions_give_sql_or_decline(shop: Schema, question: str) -> None:
    try:
        output = ask(format_mschema(shop), question).output
    except ProviderError as error:
        output = f"SELECT: {error.code}"
    assert output
    assert output.startswith("SELECT ") or output == "SELECT: declined"


def test_turns_are_questions_with_their_sql() -> None:
    messages = [Message("system", "s"), Message("user", "a"), Message("assistant", "SELECT 1"), Message("user", "b")]
    assert split_turns(messages) == ([("a", "SELECT 1")], "b")
    assert split_turns([Message("user", "a"), Message("user", "b")]) == ([("a", "")], "b")


def test_other_weights_are_another_model() -> None:
    spec = make_spec(name="parser", type="builtin/text2sql")
    other = make_spec(name="parser", type="builtin/text2sql", infer_params={"release": "of another day"})
    assert spec.identity != other.identity
    with pytest.raises(SetupError, match="release"):
        asyncio.run(BuiltinEngine(BuiltinSettings(release="of another day")).start())


def test_other_code_is_another_model(tmp_path: Path) -> None:
    """Answers are stored under the release, so that new rules do not serve the answers of old ones."""
    path, rules = tmp_path / "weights.npz", tmp_path / "query" / "rules.py"
    path.write_bytes(b"weights")
    rules.parent.mkdir()
    names = []
    for code in ("BEAMS = 5\n", "BEAMS = 5\r\n", "BEAMS = 6\n"):
        rules.write_bytes(code.encode())
        weights_file.release_name.cache_clear()
        names.append(weights_file.release_name(path))
    assert names[0] == names[1] != names[2]
    spoken = {folder.suffix for folder in weights_file.WEIGHTS.parent.rglob("*") if folder.is_file()} - {".pyc", ".npz"}
    assert spoken == set(weights_file.SOURCES), "a new form of file decides answers, too"


def test_weights_are_small_and_whole() -> None:
    arrays, shape = weights_file.load_weights()
    files = (weights_file.WEIGHTS, word_vectors.VECTORS, word_meanings.MEANINGS)
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    assert arrays["keywords.weight"].shape[1] == shape["width"]


def test_answering_loads_no_torch(shop: Schema, tmp_path: Path) -> None:
    schema = tmp_path / "schema.txt"
    schema.write_text(format_mschema(shop), "utf-8")
    program = f"""
import sys
from dataclasses import replace
from pathlib import Path
from quackllm.workers.builtin.network.numpy_network import load_network
from quackllm.workers.builtin.semantic_parser import parse
print(parse(load_network(), Path({str(schema)!r}).read_text("utf-8"), [], "How many customers are there?").sql)
assert not {{"torch", "transformers", "onnxruntime"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "SELECT COUNT(*) FROM customers\n"
