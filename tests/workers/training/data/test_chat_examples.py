"""Every form of data is read into the same conversations, and every bad row is named by its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from quackllm.workers.errors import TrainingError
from quackllm.workers.messages import Message
from quackllm.workers.training import read_examples
from quackllm.workers.training.data.text_windows import read_texts

from support.tiny_llama import chat, write_lines

ASKED = (Message("user", "有多少名歌手？"), Message("assistant", "SELECT count(*) FROM singer"))
TALK = (Message("system", "Answer in SQL."), *ASKED, Message("user", "And cities?"), Message("assistant", "SELECT 2"))
SYSTEM, QUESTION, ANSWER, QUESTION_2, ANSWER_2 = (message.content for message in TALK)
FORMS = {
    "messages": {"messages": [{"role": message.role, "content": message.content} for message in TALK]},
    "sharegpt": {
        "system": SYSTEM,
        "conversations": [
            *({"from": "human", "value": QUESTION}, {"from": "gpt", "value": ANSWER}),
            *({"from": "human", "value": QUESTION_2}, {"from": "gpt", "value": ANSWER_2}),
        ],
    },
    "alpaca": {
        "system": SYSTEM,
        "history": [[QUESTION, ANSWER]],
        "instruction": QUESTION_2,
        "input": "",
        "output": ANSWER_2,
    },
    "moss": {
        "meta_instruction": SYSTEM,
        "chat": {
            "turn_2": {"Human": QUESTION_2, "MOSS": ANSWER_2},
            "turn_1": {"Human": f"<|Human|>: {QUESTION}<eoh>\n", "MOSS": f"<|MOSS|>: {ANSWER}<eom>\n"},
        },
    },
    "moss as a list": {
        "meta_instruction": SYSTEM,
        "conversation": [{"human": QUESTION, "assistant": ANSWER}, {"human": QUESTION_2, "assistant": ANSWER_2}],
    },
}
BAD = {
    "not JSON": "{",
    "a number instead of an object": 3,
    "unknown format: its keys are foo": {"foo": 1},
    "messages is a text instead of a list": {"messages": "hello"},
    "no turn at all": {"messages": []},
    "turn 1 has the unknown role 'tool'": {"messages": [{"role": "tool", "content": "x"}]},
    "content is missing": {"messages": [{"role": "user"}]},
    "content is a number instead of a text": {"messages": [{"role": "user", "content": 5}]},
    "turn 2, the assistant's, is empty": chat("x", " "),
    "its last turn is the user's": {"messages": [{"role": "user", "content": "x"}]},
    "an answer comes first": {"messages": [{"role": "assistant", "content": "x"}]},
    "turn 2 is a system message": {
        "messages": [*chat("a", "b")["messages"][:1], {"role": "system", "content": "s"}, *chat("a", "b")["messages"]]
    },
    "output is missing": {"instruction": "x"},
    "a turn of history is a text": {"instruction": "x", "output": "y", "history": ["hello"]},
    "moss is missing": {"chat": {"turn_1": {"Human": "x", "MOSS": None}}},
    "type quackllm prepare first": {"question": "how many?", "sql": "SELECT 1"},
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_recognised_by_its_keys(form: str, tmp_path: Path) -> None:
    examples = read_examples(str(write_lines(tmp_path / "data.jsonl", [FORMS[form]])))
    assert [example.messages for example in examples.rows] == [TALK]
    assert examples.bad == []


def test_alpacas_input_follows_its_instruction(tmp_path: Path) -> None:
    row = {"instruction": "Count.", "input": "singers", "output": "SELECT 1"}
    examples = read_examples(str(write_lines(tmp_path / "data.jsonl", [row])))
    assert examples.rows[0].messages[0].content == "Count.\nsingers"


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_named_by_its_line(reason: str, tmp_path: Path) -> None:
    lines = [json.dumps(chat("a", "b")), "", BAD[reason] if reason == "not JSON" else json.dumps(BAD[reason])]
    (tmp_path / "data.jsonl").write_text("\n".join(map(str, [*lines, json.dumps(chat("c", "d"))])))
    examples = read_examples(str(tmp_path / "data.jsonl"))
    assert [example.line for example in examples.rows] == [1, 4]
    assert [row.line for row in examples.bad] == [3]
    assert reason in examples.bad[0].reason


def test_only_bad_rows_is_an_error_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="2 bad ones:\nline 1: content is missing\nline 2") as raised:
        read_examples(str(write_lines(tmp_path / "data.jsonl", [BAD["content is missing"]] * 2)))
    assert "ShareGPT" in raised.value.hint


def sources(folder: Path, rows: list[dict[str, Any]]) -> dict[str, dict[str, str | None]]:
    """Write the same rows in every kind of source there is."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    with gzip.open(folder / "data.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    (folder / "data.json").write_text(json.dumps(rows))
    parquet.write_table(pa.Table.from_pylist(rows), folder / "data.parquet")
    with duckdb.connect(folder / "data.duckdb") as connection:
        connection.execute("CREATE TABLE examples AS FROM read_parquet(?)", [str(folder / "data.parquet")])
    files = {name: {"file": str(folder / name)} for name in ("data.jsonl.gz", "data.json", "data.parquet")}
    query = {"file": None, "query": "SELECT messages FROM examples", "database": str(folder / "data.duckdb")}
    return {**files, "query": query}


def test_every_source_gives_the_same(tmp_path: Path) -> None:
    for source in sources(tmp_path, [FORMS["messages"], chat("x", "y")]).values():
        examples = read_examples(**source)  # type: ignore[arg-type]
        assert [(example.line, len(example.messages)) for example in examples.rows] == [(1, 5), (2, 2)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jsonl", "", "is empty"),
        ("data.json", "[", "is not JSON"),
        ("data.json", "{}", "does not contain a list"),
        ("data.parquet", "PAR", "is not a Parquet file"),
        ("data.csv", "a,b", "has an unknown file type"),
        ("data.jsonl.gz", "plain", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TrainingError, match=message):
        read_examples(str(tmp_path / name))


def test_sources_that_are_not_there_say_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no data file"):
        read_examples(str(tmp_path / "nothing.jsonl"))
    with pytest.raises(TrainingError, match="there is no database"):
        read_examples(None, query="SELECT 1", database=str(tmp_path / "nothing.duckdb"))
    with pytest.raises(TrainingError, match=r"the query fails: .*nothing"):
        read_examples(None, query="SELECT * FROM nothing")


def test_texts_are_documents_between_empty_lines_or_rows(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("one\nmore\n\n\n  \nanother\n")
    assert read_texts(str(tmp_path / "text.txt")).documents == ["one\nmore\n", "another\n"]
    rows = write_lines(tmp_path / "text.jsonl", [{"text": "good"}, {"text": " "}, {"words": "x"}])
    texts = read_texts(str(rows))
    assert texts.documents == ["good"]
    assert [str(row) for row in texts.bad] == ["line 2: the text is empty", "line 3: no text under the key text"]
