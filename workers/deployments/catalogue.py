"""A few open models that write SQL, by short names: `quackllm deploy sql @xiyan-3b`."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SetupError, did_you_mean

MODELSCOPE = ":modelscope"


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One model.

    Args:
        hub: its name on Hugging Face.
        modelscope: its name on ModelScope; '' where it is not there.
        parameters: in billions.
        licence: as its card says.
        summary: what it is good for.
    """

    hub: str
    modelscope: str
    parameters: float
    licence: str
    summary: str

    @property
    def gigabytes(self) -> float:
        """About how large the weights are, in 16 bits, and how much memory they take."""
        return round(self.parameters * 2.1, 1)


CATALOGUE = {
    "xiyan-3b": CatalogueModel(
        *("XGenerationLab/XiYanSQL-QwenCoder-3B-2504", "XGenerationLab/XiYanSQL-QwenCoder-3B-2504", 3.1),
        *("Apache-2.0 on its card; its base has Qwen's research licence", "small, Chinese and English"),
    ),
    "xiyan-7b": CatalogueModel(
        *("XGenerationLab/XiYanSQL-QwenCoder-7B-2504", "XGenerationLab/XiYanSQL-QwenCoder-7B-2504", 7.6),
        *("Apache-2.0 (see its card)", "Chinese and English"),
    ),
    "omnisql-7b": CatalogueModel(
        *("seeklhy/OmniSQL-7B", "seeklhy/OmniSQL-7B", 7.6),
        *("Apache-2.0 (see its card)", "trained on 2.5 million made-up questions; thinks before it writes"),
    ),
    "arctic-7b": CatalogueModel(
        *("Snowflake/Arctic-Text2SQL-R1-7B", "", 7.6),
        *("Apache-2.0 (see its card)", "trained by execution; thinks before it writes"),
    ),
    "qwen-coder-1.5b": CatalogueModel(
        *("Qwen/Qwen2.5-Coder-1.5B-Instruct", "Qwen/Qwen2.5-Coder-1.5B-Instruct", 1.5),
        *("Apache-2.0", "a chat model that runs on a CPU"),
    ),
    "qwen-coder-7b": CatalogueModel(
        *("Qwen/Qwen2.5-Coder-7B-Instruct", "Qwen/Qwen2.5-Coder-7B-Instruct", 7.6),
        *("Apache-2.0", "a chat model"),
    ),
}


def catalogue_params(name: str, *, gpu: bool) -> dict[str, str]:
    """Return the settings of `custom/auto` for a model of the catalogue.

    Args:
        name: `@xiyan-3b`, or `@xiyan-3b:modelscope` to load it from ModelScope.
        gpu: whether vLLM answers, which needs a GPU; else transformers.

    Raises:
        SetupError: the catalogue has no such model, or ModelScope has it not; the hint lists the models.
    """
    short = name.removeprefix("@").removesuffix(MODELSCOPE)
    found = CATALOGUE.get(short)
    if found is None:
        near = did_you_mean(short, CATALOGUE)
        raise SetupError(f"the catalogue has no model @{short}", hint=f"{near}\n{catalogue_text()}".strip())
    if name.endswith(MODELSCOPE) and not found.modelscope:
        raise SetupError(f"{short} is not on ModelScope", hint=f"type: @{short}, which loads {found.hub}")
    source = f"modelscope:{found.modelscope}" if name.endswith(MODELSCOPE) else found.hub
    return {"backend": "vllm" if gpu else "transformers", "model_path": source}


def catalogue_text() -> str:
    """Return a line for each model."""
    lines = (
        f"@{name:16} {model.gigabytes:4} GB of disk and memory, {model.licence}: {model.summary}"
        for name, model in CATALOGUE.items()
    )
    return "\n".join(lines)
