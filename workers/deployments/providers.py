"""Presets for the services that are deployed as `saas/NAME`: address, default model, where the key is looked for.

Addresses and models as public pages gave them in November 2026; none was called with a key. `saas.model`
and `saas.base_url` of a deployment come before the preset's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import SetupError, did_you_mean
from ..secret_refs import url_origin

ON_THIS_MACHINE = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that answers over HTTP.

    Args:
        engine: which engine speaks its protocol.
        model: the service's model if a deployment names none; None: it must name one.
        base_url: the service's address.
        key_variable: the environment variable that holds the key; None: it needs no key.
        more: further engine settings.
    """

    engine: str
    model: str | None
    base_url: str
    key_variable: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, base_url: str | None = None) -> dict[str, Any]:
        """Return the engine settings that the preset stands for; a deployment's own come after them.

        The preset's variable holds a key of its own address: another has the key that is named for it, or none.
        """
        own = base_url is None or url_origin(base_url) == url_origin(self.base_url)
        key = {"api_key": f"env:{self.key_variable}"} if self.key_variable and own else {}
        model = {"model": self.model} if self.model else {}
        return {**model, "base_url": self.base_url, **key, **self.more}


OWN_TEMPERATURE = {"default_temperature": None}
"""For services whose default model refuses a temperature of 0."""

SERVICES: dict[str, Service] = {
    "baichuan": Service("openai", "Baichuan4-Turbo", "https://api.baichuan-ai.com/v1", "BAICHUAN_API_KEY"),
    "claude": Service(
        "openai", "claude-opus-5-5", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", OWN_TEMPERATURE
    ),
    "deepseek": Service("openai", "deepseek-flash", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "fastchat": Service("openai", None, f"{ON_THIS_MACHINE}:8000/v1"),
    "gemini": Service(
        "openai", "gemini-3.8-flash", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"
    ),
    "hunyuan": Service(
        "openai", "hunyuan-turbos-latest", "https://api.hunyuan.cloud.tencent.com/v1", "HUNYUAN_API_KEY"
    ),
    "kimi": Service("openai", "kimi-k2.6", "https://api.moonshot.cn/v1", "MOONSHOT_API_KEY", OWN_TEMPERATURE),
    "lmstudio": Service("openai", None, f"{ON_THIS_MACHINE}:1234/v1"),
    "minimax": Service(
        "openai",
        "MiniMax-M3",
        "https://api.minimaxi.com/v1",
        "MINIMAX_API_KEY",
        {**OWN_TEMPERATURE, "extra": {"reasoning_split": True}},
    ),
    "ollama": Service("openai", None, f"{ON_THIS_MACHINE}:11434/v1"),
    "openai": Service(
        "openai",
        "gpt-6-luna",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        {**OWN_TEMPERATURE, "max_tokens_field": "max_completion_tokens"},
    ),
    "openrouter": Service("openai", "openrouter/auto", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "qianfan": Service("openai", "ernie-5.1", "https://qianfan.baidubce.com/v2", "QIANFAN_API_KEY", OWN_TEMPERATURE),
    "qianwen": Service("dashscope", "qwen-plus", "https://dashscope.aliyuncs.com/api/v1", "DASHSCOPE_API_KEY"),
    "qianwen_compatible": Service(
        "openai", "qwen-plus", "https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"
    ),
    "qianwen_vl": Service("dashscope", "qwen-vl-plus", "https://dashscope.aliyuncs.com/api/v1", "DASHSCOPE_API_KEY"),
    "siliconflow": Service(
        "openai", "Qwen/Qwen2.5-7B-Instruct", "https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY"
    ),
    "sparkdesk": Service("openai", "4.0Ultra", "https://spark-api-open.xf-yun.com/v1", "SPARK_API_KEY"),
    "stepfun": Service("openai", "step-3.5-flash", "https://api.stepfun.com/v1", "STEPFUN_API_KEY"),
    "vllm": Service("openai", None, f"{ON_THIS_MACHINE}:8000/v1"),
    "volcengine": Service(
        "openai", "doubao-seed-1-8-251228", "https://ark.cn-beijing.volces.com/api/v3", "ARK_API_KEY"
    ),
    "zai": Service("openai", "glm-4.7", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
    "zhipu": Service("openai", "glm-4.7", "https://open.bigmodel.cn/api/paas/v4", "ZHIPUAI_API_KEY"),
}

ALIASES = {
    "chatglm": "zhipu",
    "doubao": "volcengine",
    "ernie": "qianfan",
    "moonshot": "kimi",
    "official_openai": "openai",
    "qwen": "qianwen",
    "reasoning_openai": "openai",
    "spark": "sparkdesk",
}
"""Byzer's spellings, and the names that people know a service's models by."""


def service_names() -> set[str]:
    """Return the names of all presets, the aliases too."""
    return SERVICES.keys() | ALIASES.keys()


def find_service(name: str) -> Service:
    """Return the preset of that name.

    Raises:
        SetupError: no service has that name.
    """
    provider = ALIASES.get(name, name)
    if provider not in SERVICES:
        hint = did_you_mean(name, service_names())
        raise SetupError(
            f"no service is called saas/{name}",
            hint=f"{hint}\nany other that speaks OpenAI's protocol: saas/openai with saas.base_url and saas.model",
        )
    return SERVICES[provider]
