"""The tokens of what an agent reads before its first call, counted with OpenAI's `cl100k_base`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from mcp import Client

from support.mcp_clients import in_process, make_shop

pytestmark = pytest.mark.clients
CLIENTS = Path(__file__).parents[2] / ".venv-clients"
TOKENIZERS = "others/lib/python3*/site-packages/litellm/litellm_core_utils/tokenizers"
COUNT = "import sys, tiktoken; print(len(tiktoken.get_encoding('cl100k_base').encode(sys.stdin.read())))"
MAX_TOKENS = 1500


def test_the_descriptions_are_short(tmp_path: Path) -> None:
    read: list[str] = []

    async def session(client: Client) -> None:
        tools, prompts = (await client.list_tools()).tools, (await client.list_prompts()).prompts
        for listed in (tools, [*tools, *prompts]):
            described = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in listed]
            read.append(json.dumps(described))
        read[1] += client.instructions or ""

    in_process(session, {"shop": f"duckdb:///{make_shop(tmp_path / 'shop.duckdb')}"})
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(next(CLIENTS.glob(TOKENIZERS)))}
    of_tools, of_everything = (
        int(
            subprocess.check_output(
                [CLIENTS / "others/bin/python", "-c", COUNT], input=text, text=True, env=environment
            )
        )
        for text in read
    )
    print(f"{of_tools} tokens of tools, {of_everything} with prompts and instructions")
    assert of_tools < of_everything <= MAX_TOKENS
