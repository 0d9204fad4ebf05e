"""The catalogue of open models that write SQL: one word deploys one, in its own prompt form."""

from __future__ import annotations

import pytest
from quackllm.udf.text2sql.prompts.formats import format_named
from quackllm.workers.deployments.catalogue import CATALOGUE, catalogue_params
from quackllm.workers.errors import SetupError


def test_a_name_becomes_settings() -> None:
    model = "XGenerationLab/XiYanSQL-QwenCoder-3B-2504"
    assert catalogue_params("@xiyan-3b", gpu=False) == {"backend": "transformers", "model_path": model}
    assert catalogue_params("@xiyan-3b:modelscope", gpu=True) == {
        "backend": "vllm",
        "model_path": f"modelscope:{model}",
    }


def test_an_unknown_name_lists_the_models() -> None:
    with pytest.raises(SetupError, match="no model @xiyan-4b") as error:
        catalogue_params("@xiyan-4b", gpu=False)
    assert "@omnisql-7b" in error.value.hint
    with pytest.raises(SetupError, match="not on ModelScope"):
        catalogue_params("@arctic-7b:modelscope", gpu=False)


@pytest.mark.parametrize(
    ("name", "form"),
    [("xiyan-3b", "xiyan"), ("omnisql-7b", "omnisql"), ("arctic-7b", "arctic"), ("qwen-coder-7b", "chat")],
)
def test_each_has_its_own_prompt_form(name: str, form: str) -> None:
    assert format_named(None, CATALOGUE[name].hub).name == form
