from __future__ import annotations

from typing import Any

import pytest
from quackllm.deploy.cli.argv import normalize_argv, parse_params, without_secrets
from quackllm.workers.errors import RequestError


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("--infer_params a=1 b=2 --model m", "--infer-params a=1 --infer-params b=2 --model m"),
        ("-p a=1 b.c=2 name type", "-p a=1 -p b.c=2 name type"),
        ("--infer_params a=1 --infer_params b=2", "--infer-params a=1 --infer-params b=2"),
        ("--model_path=/my_models/a_b", "--model-path=/my_models/a_b"),
        ("--model_path /my_models/a_b", "--model-path /my_models/a_b"),
        ("name saas/qianwen", "name saas/qianwen"),
    ],
)
def test_byzers_spelling(typed: str, plain: str) -> None:
    assert normalize_argv(typed.split()) == plain.split()


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("max_model_len=28000", 28000),
        ("x=0.5", 0.5),
        ("x=true", True),
        ("x=false", False),
        ("x=null", None),
        ("x=qwen-max", "qwen-max"),
        ("x=", ""),
        ("x=https://127.0.0.1:8000/v1", "https://127.0.0.1:8000/v1"),
        ("x=a=b", "a=b"),
        ("x={reasoning_split: true}", {"reasoning_split": True}),
        ("x=[1, 2]", [1, 2]),
        ("x=2024-05-01", "2024-05-01"),
        ("x=@no: yaml: [", "@no: yaml: ["),
        ("saas.api_key=12345", "12345"),
        ("saas.api_key=true", "true"),
        ("saas.headers={X-Team: env:TEAM}", {"X-Team": "env:TEAM"}),
    ],
)
def test_values_have_types(word: str, value: Any) -> None:
    (read,) = parse_params([word]).values()
    assert (read, type(read)) == (value, type(value))


def test_a_parameter_needs_a_value() -> None:
    with pytest.raises(RequestError, match=r"'saas\.model'"):
        parse_params(["saas.model"])


def test_an_empty_key_says_what_to_do() -> None:
    with pytest.raises(RequestError, match=r"saas\.api_key has no value") as refused:
        parse_params(["saas.api_key="])
    assert "saas.api_key=env:NAME" in refused.value.hint


def test_keys_are_hidden() -> None:
    words = ["saas.api_key=sk-1", "saas.model=m"]
    assert without_secrets("unexpected: saas.api_key=sk-1 saas.model=m", words) == (
        "unexpected: saas.api_key=(hidden) saas.model=m"
    )
