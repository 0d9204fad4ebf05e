"""No field of `extra` decides who is asked, how often or for how much, and none holds what cannot be sent."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.workers.errors import RequestError
from quackllm.workers.extra_fields import MAX_DEPTH, RESERVED_FIELDS, check_encodable
from quackllm.workers.options import options_from_json, read_options

import quackllm
from standin.fixtures import StandIn


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


@pytest.mark.parametrize("name", sorted(RESERVED_FIELDS))
def test_what_a_price_speaks_of_is_refused_however_it_is_spelled(name: str) -> None:
    spellings = {name, name.upper(), name.title(), camel(name), name.replace("_", "-")}
    spellings |= {name.replace("k", "\N{KELVIN SIGN}"), name.replace("s", "\N{LATIN SMALL LETTER LONG S}")}
    for spelled in spellings:
        with pytest.raises(RequestError, match="cannot be sent to a service"):
            read_options({"extra": {spelled: "x"}})


@pytest.mark.parametrize("field", ["enable_thinking", "thinking", "repetition_penalty", "min_p", "do_sample", "lora"])
def test_a_services_own_fields_pass(field: str) -> None:
    assert read_options({"extra": {field: 1}}).extra == {field: 1}


def test_no_way_to_write_options_leads_around_it(service: StandIn) -> None:
    """`gen.` keys of a map, a STRUCT, a JSON text."""
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        for given_ in (
            "{'instruction': 'x', 'extra': {'model': 'dear'}}",
            "MAP {'instruction': 'x', 'gen.model': 'dear'}",
            "MAP {'instruction': 'x', 'extra_request_params': '{\"N\": 9}'}",
            "MAP {'instruction': 'x', 'generation.max_completion_tokens': '9'}",
        ):
            with pytest.raises(RequestError, match="cannot be sent"):
                connection.execute(f"SELECT standin(llm_param({given_}))").fetchall()
    assert service.count() == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "\ud83d", ["\udfff"], {"\ud800": 1}])
def test_what_json_has_not_is_refused_before_it_is_sent(value: Any) -> None:
    for name in ("extra", "response_format"):
        with pytest.raises(RequestError, match=f"{name} "):
            read_options({name: {"field": value}})


def test_not_a_number_in_sql_costs_no_retries(service: StandIn) -> None:
    with pytest.raises(RequestError, match="extra"):
        options_from_json('{"extra": {"logit_bias": {"1": NaN}}}')


@given(st.integers(1, 3000))
def test_depth_is_bounded_whatever_pythons_own_limit(depth: int) -> None:
    value: Any = {}
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    if depth < MAX_DEPTH:
        check_encodable(value, "it")
        json.dumps(value)
    else:
        with pytest.raises(RequestError, match="levels"):
            check_encodable(value, "it")
