"""`quackllm.ai(frame)`: every typed function over a frame, in and out of the same library."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import quackllm
from standin.fixtures import StandIn

ROWS = {"id": [1, 2, 3], "body": ["The soup was cold.", "Great pie!", None]}


@pytest.fixture(autouse=True)
def judge(service: StandIn) -> None:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def frame(request: pytest.FixtureRequest) -> Any:
    library = pytest.importorskip(request.param)
    return pa.table(ROWS) if request.param == "pyarrow" else library.DataFrame(ROWS)


def rows(frame: Any) -> list[dict[str, Any]]:
    return (
        frame.to_dict("records")
        if type(frame).__module__.startswith("pandas")
        else (frame.to_pylist() if isinstance(frame, pa.Table) else frame.to_dicts())
    )


def says(service: StandIn, **answers: str) -> None:
    service.script([{"fault": "reply", "text": text, "marker": marker} for marker, text in answers.items()])


def test_a_frame_comes_back_as_a_frame_of_its_library(frame: Any, service: StandIn) -> None:
    says(service, soup="yes", pie="no")
    found = quackllm.ai(frame, "body").filter("complains about food")
    assert type(found) is type(frame)
    assert rows(found) == [{"id": 1, "body": "The soup was cold."}]


@pytest.mark.filterwarnings("ignore:1 request got no complete answer")
def test_columns_are_added(service: StandIn) -> None:
    table = pa.table(ROWS)
    over = quackllm.ai(table, "body", model="judge")
    says(service, soup="complaint", pie="praise")
    labelled = over.classify(["praise", "complaint"], into="what", instructions="irony counts").to_pylist()
    assert [row["what"] for row in labelled] == ["complaint", "praise", None]
    assert "irony counts" in service.requests()[0]["body"]["messages"][0]["content"]
    says(service, soup="0.9", pie="0.1")
    assert over.score("anger").column("score").to_pylist() == [0.9, 0.1, None]
    assert over.score("anger", high=10, into="x", detail=True).to_pylist()[0]["x"]["value"] == 0.9
    says(service, soup='{"dish": "soup"}', pie='{"items": [{"dish": "pie"}, {"dish": "tea"}]}')
    assert over.extract({"dish": "VARCHAR"}).slice(0, 1).to_pylist()[0]["dish"] == "soup"
    found = over.each({"dish": "VARCHAR"}).to_pylist()
    assert [(row["id"], row["dish"]) for row in found] == [(2, "pie"), (2, "tea")]
    assert len(over.embed().to_pylist()[0]["embedding"]) == 512


@pytest.mark.parametrize(
    ("method", "arguments", "column"),
    [
        ("sentiment", [], "sentiment"),
        ("labels", [["positive", "negative"]], "labels"),
        ("translate", ["French"], "translation"),
        ("mask", [["names"]], "masked"),
        ("fix_grammar", [], "corrected"),
        ("complete", [], "answer"),
    ],
)
def test_each_method_is_the_function_of_its_name(
    method: str, arguments: list[Any], column: str, service: StandIn
) -> None:
    text = '["negative"]' if method == "labels" else "negative"
    says(service, soup=text, pie=text)
    found = getattr(quackllm.ai(pa.table(ROWS), "body"), method)(*arguments).column(column).to_pylist()
    assert found == [["negative"] if method == "labels" else "negative"] * 2 + [None]


def test_rows_are_ranked_joined_and_summed_up(service: StandIn) -> None:
    table = pa.table({"id": [1, 2, 3, 4], "body": ["worth 4", "worth 9", "worth 9", "worth 1"]})
    best = quackllm.ai(table, "body").top(3, "worth").column("id").to_pylist()
    assert best in ([2, 3, 1], [3, 2, 1])  # Two rows have the same text.
    assert quackllm.ai(table).top(1, "worth").num_rows == 1
    says(service, worth="yes")
    other = pa.table({"key": ["a", "b"]})
    joined = quackllm.ai(table, "body").join(other, "belong together")
    assert (joined.num_rows, joined.column_names) == (8, ["id", "body", "key"])
    says(service, worth="fine")
    assert quackllm.ai(table, "body").agg("In a word?") == "fine"
    assert quackllm.ai(table).summarize() == "fine"


def test_frames_of_any_kind_of_column(service: StandIn) -> None:
    says(service, a="yes")
    frames = [
        {"body": pa.array([], pa.string())},
        {"body": pa.nulls(2)},
        {"body": pa.array(["a", None]).dictionary_encode()},
        {"body": pa.array([{"x": "a"}, None])},
        {"body": pa.array([["a"], []])},
    ]
    kept = [quackllm.ai(pa.table(frame), "body").filter("x").num_rows for frame in frames]
    assert kept[:4] == [0, 0, 1, 1]
    said = quackllm.ai(pa.table({"body": ["a"]}), "body")
    assert str(said.classify(iter(["yes", "no"])).schema.field("label").type).startswith("dictionary<values=string")
    says(service, a='["no"]')
    assert said.labels({"yes", "no"}, draw=1, detail=True).num_rows == 1


@pytest.mark.parametrize("thing", [None, {"body": ["a"]}, ["a"], pa.table({})])
def test_what_is_no_frame_is_an_error_that_says_what_to_type(thing: Any) -> None:
    with pytest.raises(quackllm.QuackLLMError, match=r"(?s)this is .*type quackllm.ai\(frame, 'body'\)"):
        quackllm.ai(thing)


def test_what_is_wrong_is_an_error_that_says_what_to_type() -> None:
    with pytest.raises(quackllm.QuackLLMError, match="k is three"):
        quackllm.ai(pa.table(ROWS), "body").top("three", "worth")  # type: ignore[arg-type]
    with pytest.raises(quackllm.QuackLLMError, match="the frame has no column 'bdy'"):
        quackllm.ai(pa.table(ROWS), "bdy")
    with pytest.raises(quackllm.QuackLLMError, match="has a column 'ID' already"):
        quackllm.ai(pa.table(ROWS), "body").score("x", into="ID")
    with pytest.raises(quackllm.QuackLLMError, match="'a' is there twice"):
        quackllm.ai(pa.table(ROWS), "body").classify(["a", "a"])
