"""The settings of the transformers engine."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class TransformersSettings(BaseModel):
    """Settings of `custom/auto` with `backend: transformers`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_path: str = Field(description="a folder, a Hugging Face id, or `modelscope:` and an id")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: 16 bits on a GPU, float32 on a CPU"
    )
    quantization: Literal["8bit", "4bit"] | None = Field(None, description="weights in 8 or 4 bits (bitsandbytes)")
    device: str = Field("auto", description="`cpu`, `cuda`, `cuda:1`; auto: all GPUs, or the CPU if there is none")
    trust_remote_code: bool = Field(False, description="run Python code that came with the weights")
    max_batch_size: int = Field(32, ge=1, description="maximum number of requests in one batch")
    max_model_len: int | None = Field(None, ge=1, description="maximum number of tokens of prompt and answer together")
    max_tokens: int = Field(1024, ge=1, description="maximum number of tokens of an answer if a request gives none")
    chat_template_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="passed to the chat template, e.g. {'enable_thinking': false}"
    )
