"""docs/engines.md lists every preset and setting with its default, in Chinese the presets; its example engine runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.deployments.providers import ALIASES, SERVICES
from quackllm.workers.engines import Engine, find_engine
from quackllm.workers.messages import Request

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "engines.md").read_text()
CHINESE_PAGE = (DOCS / "engines.zh.md").read_text("utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_each_preset_has_its_line(name: str) -> None:
    service = SERVICES[name]
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| `saas/{name}` "))
    for word in (service.engine, service.model or "name one", service.base_url, service.key_variable or "none"):
        assert word in line


@pytest.mark.parametrize("name", SERVICES)
def test_each_preset_has_its_line_in_chinese(name: str) -> None:
    service = SERVICES[name]
    (line,) = (line for line in CHINESE_PAGE.splitlines() if line.startswith("| `saas/") and f"`saas/{name}`" in line)
    assert not service.key_variable or f"`{service.key_variable}`" in line
    assert line.count("saas/") > 1 or f"`{service.model}`" in line


@pytest.mark.parametrize("alias", ALIASES)
def test_each_alias_is_named(alias: str) -> None:
    assert f"`{alias}`" in PAGE


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("openai", "saas."),
        ("dashscope", "saas."),
        ("transformers", "backend."),
        ("vllm", "backend."),
        ("llama_cpp", "backend."),
        ("echo", ""),
    ],
)
def test_each_setting_has_its_line(name: str, prefix: str) -> None:
    for key, field in find_engine(name).Settings.model_fields.items():
        assert field.description, f"{name}.{key} has no description"
        default = "required" if field.is_required() else field.get_default(call_default_factory=True)
        shown = {"required": "required", None: "none"}.get(
            default if isinstance(default, str | None) else "", f"`{default}`"
        )
        assert f"| `{prefix}{key}` | {shown} | {field.description} |" in PAGE


def test_the_engine_on_the_page_runs() -> None:
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class ParrotEngine" in block)
    names: dict[str, Any] = {"__name__": "parrot"}
    exec(compile(code, "parrot", "exec", dont_inherit=True), names)
    kind: type[Engine] = names["ParrotEngine"]

    async def main() -> str | None:
        engine = kind(kind.Settings(times=3))
        await engine.start()
        response = await engine.answer(Request.of("hi "))
        await engine.close()
        return response.output

    assert asyncio.run(main()) == "hi hi hi "
