"""The gateway as people start it: `quackllm serve`, the seeds' curl lines, and what happens when the process dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import httpx2
import openai

import quackllm
from standin.fixtures import StandIn
from support.gateway_processes import served, wait_for

SEED_LINE = r"""curl -X POST http://localhost:8000/v1/completions \
  -H "Content-Type: application/json" \
  -d '{
    "model": "CodeLlama-7b-hf",
    "prompt": "You are a powerful text-to-SQL model. ### Input: 大多数部门在哪一年成立? ### Response:",
    "max_tokens": 41,
    "temperature": 0.5
  }'"""
"""Of `zhipu-fastchat-qlora.md`, the prompt shortened."""


def test_the_seeds_curl_lines_are_answered_until_it_is_told_to_end(service: StandIn, tmp_path: Path) -> None:
    quackllm.deploy("codellama_7b_hf", "saas/openai", infer_params=service.openai_params())
    shop = tmp_path / "shop.duckdb"
    duckdb.connect(shop).execute("CREATE TABLE customers (name VARCHAR)").close()
    with served(str(shop)) as (address, process):
        it_offers_the_file_that_was_named(address)
        line = SEED_LINE.replace("http://localhost:8000", address.replace("127.0.0.1", "localhost"))
        done = subprocess.run(
            ["bash", "-c", f"{line} --silent"], capture_output=True, text=True, timeout=60, check=True
        )
        reply = json.loads(done.stdout)
        told_to_end_it_answers_what_is_under_way(address, process, service)
    assert (reply["object"], reply["model"], reply["choices"][0]["finish_reason"]) == (
        "text_completion",
        "CodeLlama-7b-hf",
        "stop",
    )
    assert reply["choices"][0]["text"].startswith("answer to: You are a powerful text-to-SQL model.")
    assert reply["id"].startswith("cmpl-")
    sent = service.requests()[0]["body"]
    assert (sent["max_completion_tokens"], sent["temperature"]) == (41, 0.5)


def it_offers_the_file_that_was_named(address: str) -> None:
    database = httpx2.get(f"{address}/console/databases/shop").json()
    assert (database["product"], [table["name"] for table in database["tables"]]) == ("DuckDB", ["customers"])


def told_to_end_it_answers_what_is_under_way(address: str, process: subprocess.Popen[str], service: StandIn) -> None:
    service.script([{"fault": "slow", "seconds": 0.5, "marker": "hello"}])
    with ThreadPoolExecutor(1) as threads:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        answer = threads.submit(client.completions.create, model="codellama_7b_hf", prompt="hello")
        wait_for(lambda: service.state()["under_way"] == 1)
        process.send_signal(signal.SIGTERM)
        assert answer.result(timeout=20).choices[0].text == "answer to: hello"
        assert process.wait(timeout=20) == 0


def test_it_says_what_to_type_before_it_is_open_to_the_network() -> None:
    command = [sys.executable, "-m", "quackllm", "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "quackllm keys add NAME" in done.stderr


def test_a_killed_gateway_pays_for_nothing_twice_that_was_answered(service: StandIn) -> None:
    """Clients see their connection end; asked again of the next gateway, only what was under way is asked again."""
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "slow", "seconds": 0.1}])
    prompts = [f"prompt {number}" for number in range(40)]
    answered, seen = set[str](), Counter[str]()
    half = threading.Event()

    def ask(client: openai.OpenAI, prompt: str) -> None:
        try:
            text = client.completions.create(model="standin", prompt=prompt).choices[0].text
        except openai.APIConnectionError as error:
            seen[type(error).__name__] += 1
            return
        assert text == f"answer to: {prompt}"
        answered.add(prompt)
        if len(answered) >= 12:
            half.set()

    def ask_all(address: str) -> None:
        with (
            openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            for prompt in prompts:
                pool.submit(ask, client, prompt)

    with served() as (address, process):
        asking = threading.Thread(target=ask_all, args=[address])
        asking.start()
        assert half.wait(30)
        process.kill()
        asking.join(60)
    before, under_way = set(answered), service.count() - len(answered)
    assert seen["APIConnectionError"] == len(prompts) - len(before)
    assert under_way <= 8
    with served() as (address, _):
        ask_all(address)
    assert answered == set(prompts)
    asked = Counter(service.prompts())
    assert all(asked[prompt] == 1 for prompt in before)
    assert service.count() <= len(prompts) + under_way
