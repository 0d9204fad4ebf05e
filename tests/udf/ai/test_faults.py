"""A thousand rows whose service fails in every way: nothing is true, a label, a value or a quote that is not one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import quackllm
from standin.fixtures import StandIn

FAULTS = [
    {"fault": "bad_request", "marker": "kind-0"},
    {"fault": "length", "marker": "kind-1"},
    {"fault": "reply", "text": "Yes, I would be glad to help! What is the text?", "marker": "kind-2"},
    {"fault": "reply", "text": "Oui, bien sûr, c'est vrai.", "marker": "kind-3"},
    {"fault": "reply", "text": '{"verdict": [true, "sto', "marker": "kind-4"},
    {"fault": "reply", "text": "praises", "marker": "kind-5"},
    {"fault": "filter", "marker": "kind-6"},
    {"fault": "reply", "text": "I cannot say yes or no: 7 of 10 would praise.", "marker": "kind-7"},
    {"fault": "reply", "text": '{"age": "many", "name": {"value": "Eve", "quote": "not there"}}', "marker": "kind-8"},
]
GOOD = {
    "filter": ("Yes.", True),
    "classify": ("**Complaint**", "complaint"),
    "score": ("```\n0.25\n```", 0.25),
    "labels": ('["complaint", "praise"]', ["praise", "complaint"]),
    "match": ("no", False),
    "choose": ("complaint.", "complaint"),
    "sentiment": ("Mixed", "mixed"),
    "value": ('{"value": 41}', 41),
    "top": ("[1, 2]", ["second"]),
    "extract": ('Here: {"age": {"value": 41, "quote": "41 years"}, "name": null}', {"age": 41, "name": None}),
}
CALLS = {
    "filter": "ai_filter_detail(body, 'is praise')",
    "classify": "ai_classify_detail(body, ['praise', 'complaint'])",
    "score": "ai_score_detail(body, 'praise')",
    "labels": "ai_labels_detail(body, ['praise', 'complaint'])",
    "match": "ai_match_detail(body, 'x', 'say the same')",
    "choose": "ai_choose_detail(body, ['praise', 'complaint'])",
    "sentiment": "ai_sentiment_detail(body)",
    "value": "ai_value_detail(body, 'INTEGER')",
    "top": "ai_top_detail(['first', 'second'], 1, body, per_call := 2)",
    "extract": "ai_extract_detail(body, {'age': 'INTEGER', 'name': 'VARCHAR'}, quotes := true)",
}


MANY = ("filter", "classify", "score", "labels", "extract")
"""The functions of one shape each: over a thousand rows. The others have the same shapes, and 200 rows."""


def leaves(value: object) -> list[object]:
    """The values of a STRUCT, those of its inner ones among them."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [value]


@pytest.fixture
def connection(service: StandIn) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        connection.execute(
            "CREATE TABLE review AS SELECT i, "
            "format('kind-{} row {} is 41 years old', i % 10, i) AS body FROM range(1000) t (i)"
        )
        yield connection


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("function", CALLS)
def test_what_is_no_answer_is_null_with_a_reason(
    function: str, connection: quackllm.Connection, service: StandIn
) -> None:
    text, expected = GOOD[function]
    service.script([*FAULTS, {"fault": "reply", "text": text, "marker": "kind-9"}])
    count = 1000 if function in MANY else 200
    rows = connection.execute(f"SELECT i % 10, body, {CALLS[function]} AS detail FROM review LIMIT {count}").fetchall()
    assert len(rows) == count
    for kind, body, detail in rows:
        value = detail["value"]
        if kind == 9:
            quotes = value.pop("quotes") if function == "extract" else {}
            assert (value, detail["error"]) == (expected, None)
            assert all(quote is None or quote in body for quote in quotes.values())
        else:
            assert set(leaves(value)) == {None}
            assert detail["error"]["code"]
            assert detail["error"]["message"]
    asked = service.count()
    connection.execute(
        f"SELECT count(*) FROM review WHERE i < {count} AND i % 10 = 9 AND ({CALLS[function]}).error IS NULL"
    ).fetchall()
    assert service.count() == asked  # What was answered is never asked again.


TEXTS = {
    "complete": "ai_complete_detail(body)",
    "translate": "ai_translate_detail(body, 'French')",
    "mask": "ai_mask_detail(body, ['names'])",
    "fix_grammar": "ai_fix_grammar_detail(body)",
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("function", TEXTS)
def test_a_text_is_the_whole_text_or_null_with_a_reason(
    function: str, connection: quackllm.Connection, service: StandIn
) -> None:
    service.script([*FAULTS, {"fault": "reply", "text": "fine", "marker": "kind-9"}])
    rows = connection.execute(f"SELECT i % 10, {TEXTS[function]} AS detail FROM review WHERE i < 200").fetchall()
    assert len(rows) == 200
    for kind, detail in rows:
        if kind in (0, 1, 6):
            assert detail["value"] is None
            assert detail["error"]["code"] in ("invalid_value", "length", "content_filter")
        else:
            assert detail["value"] == ("fine" if kind == 9 else FAULTS[kind]["text"])
            assert detail["error"] is None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_things_found_and_aggregates_come_of_whole_answers_alone(
    connection: quackllm.Connection, service: StandIn
) -> None:
    service.script([*FAULTS, {"fault": "reply", "text": '{"items": [{"age": 41}]}', "marker": "kind-9"}])
    rows = connection.execute("SELECT i % 10, age FROM review, ai_each(review.body, {'age': 'INTEGER'})").fetchall()
    assert rows == [(9, 41)] * 100
    details = connection.execute(
        "SELECT i % 10, ai_agg_detail(body, 'How old?') FROM review GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for kind, detail in details:
        assert (detail["value"] is None) == (kind in (0, 1, 6)) == (detail["error"] is not None)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_failure_passes_no_condition(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([*FAULTS, {"fault": "reply", "text": "yes", "marker": "kind-9"}])
    rows = connection.execute("SELECT DISTINCT i % 10 FROM review WHERE ai_filter(body, 'is praise')").fetchall()
    assert rows == [(9,)]
    rows = connection.execute("SELECT count(*) FROM review WHERE NOT ai_filter(body, 'is praise')").fetchall()
    assert rows == [(0,)]
