from __future__ import annotations

from pathlib import Path

import pytest
from quackllm.workers.deployments.model_names import check_model_name
from quackllm.workers.errors import RequestError

import quackllm

KEYWORDS = ("select", "table", "order", "pivot", "data")
FUNCTIONS = ("lower", "query", "sum", "read_csv", "row_number", "pragma_version")
OURS = ("llm_chat", "llm_anything", "quackllm_chat", "quackllm", "text2sql", "text2sql_detail", "ask", "echo")


@pytest.mark.parametrize("name", ["qianwen_chat", "zephyr_7b_chat", "a", "_", "lower_model", "asked"])
def test_free_names(name: str) -> None:
    check_model_name(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "a SQL keyword") for name in KEYWORDS),
        *((name, "a function of DuckDB") for name in FUNCTIONS),
        *((name, "a name of quackllm's own") for name in (*OURS, "builtin_text2sql")),
    ],
)
def test_taken_names(name: str, why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        check_model_name(name)
    assert f"{name}_model" in refused.value.hint


def test_deploy_refuses_before_anything_is_written(home: Path) -> None:
    with pytest.raises(RequestError, match="'lower': that is a function of DuckDB"):
        quackllm.deploy("lower", "echo")
    assert not (home / "models.yaml").exists()


@pytest.mark.parametrize("name", ["Qianwen", "my-model", "7b", "", "drop table x", "名字"])
def test_names_that_are_no_names(name: str) -> None:
    with pytest.raises(RequestError, match=r"\[a-z_\]\[a-z0-9_\]\*"):
        quackllm.deploy(name, "echo")
