"""The settings of the vLLM engine."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from ...errors import did_you_mean


class VllmSettings(BaseModel):
    """Settings of `custom/auto` with `backend: vllm`. Any other is an argument of vLLM's `AsyncEngineArgs`."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    model_path: str = Field(description="a folder, a Hugging Face id, or `modelscope:` and an id")
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share the model; left out: `gpus_per_worker`")
    lora_adapters: dict[str, str] = Field(
        default_factory=dict, description="LoRA adapters by name: `{name: folder or Hugging Face id}`"
    )
    lora: str | None = Field(None, description="the adapter for requests that name none")
    max_tokens: int = Field(1024, ge=1, description="maximum number of tokens of an answer if a request gives none")
    chat_template_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="passed to the chat template, e.g. {'enable_thinking': false}"
    )

    @field_validator("lora")
    @classmethod
    def _has_adapter(cls, name: str | None, info: ValidationInfo) -> str | None:
        adapters = info.data.get("lora_adapters", {})
        if name is not None and name not in adapters:
            raise ValueError(f"no adapter has that name: {did_you_mean(name, adapters)}")
        return name
