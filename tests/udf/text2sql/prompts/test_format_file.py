"""A prompt form of one's own as a file: checked part by part, and used as it is written."""

from __future__ import annotations

import pytest
from quackllm.udf.text2sql.prompts.formats import FORMS, format_named
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.errors import SetupError
from quackllm.workers.messages import Message

SCHEMA = Schema("shop", (Table("sale", (Column("id", "INTEGER"),)),))
QUESTION = (Message("system", "ids are odd"), Message("user", "How many?"))


def test_a_form_of_ones_own(tmp_path) -> None:
    path = tmp_path / "form.yaml"
    path.write_text(
        "system: Write SQL.\nuser: '{schema}|{notes}|{question}'\nschema: bare_ddl\nrepair: 'No: {error}'\n"
    )
    form = format_named(str(path), "")
    messages = form.build_messages(QUESTION, SCHEMA, ())
    assert messages[0] == Message("system", "Write SQL.")
    assert messages[1].content.startswith("CREATE TABLE sale")
    assert messages[1].content.endswith("|ids are odd|How many?")
    assert form.repair(messages, "SELECT", "bad")[-1].content == "No: bad"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user: '{schema} {query}'", "user: .*not {query}"),
        ("user: '{schema}'", "{question} is missing"),
        ("user: '{question}'", "{schema} is missing"),
        ("user: '{question} {schema}'\nrepare: x", "repare"),
        ("user: '{question} {schema'", "user: "),
        ("user: '{question} {schema}'\nschema: xml", "schema: "),
        ("- a", "the file: "),
        ("user: [", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "form.yaml"
    path.write_text(text)
    with pytest.raises(SetupError, match=message):
        format_named(str(path), "")


def test_no_file() -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        format_named("gone.yaml", "")


@pytest.mark.parametrize("name", ["omnisql", "arctic"])
def test_models_that_think(name: str) -> None:
    (message,) = FORMS[name].build_messages(QUESTION, SCHEMA, [("sale", "id", "7")])
    assert message.content.count("How many?") == 1
    assert "-- sale.id = '7'" in message.content
    assert "ids are odd" in message.content
    assert len(FORMS[name].repair((message,), "SELECT 1", "bad")) == 3
