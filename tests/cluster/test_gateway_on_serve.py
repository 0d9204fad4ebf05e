"""The gateway on Ray Serve: several replicas, one of which dies under load."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import psutil
import pytest
from quackllm.deploy.gateway.auth.api_keys import add_key

import quackllm
from standin.fixtures import StandIn
from support.console_shop import make_shop
from support.ray_cluster import MARKS, Grounds, command, running_cluster, wait_until
from support.ray_heads import free_port

pytestmark = MARKS


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with running_cluster(tmp_path_factory.mktemp("gateway"), 1) as running:
        yield running


def replicas() -> list[psutil.Process]:
    """The processes of the gateway's replicas."""
    running = psutil.process_iter(["cmdline"])
    return [
        process for process in running if "ServeReplica:quackllm:gateway" in " ".join(process.info["cmdline"] or ())
    ]


@pytest.fixture
def served(grounds: Grounds, connection: quackllm.Connection, service: StandIn) -> Iterator[str]:
    """The address of a gateway with two replicas, over a model on the cluster."""
    params = service.openai_params()
    quackllm.deploy("standin", "saas/openai", num_workers=2, infer_params=params, cluster=grounds.address)
    words = [sys.executable, "-m", "quackllm", "serve", "--cluster", grounds.address, "--port", str(free_port())]
    environment = {**os.environ, "QUACKLLM_HOME": str(grounds.home), "COLUMNS": "200", "NO_COLOR": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            found = re.search(r"http://[\d.:]+", process.stdout.readline())
            assert found, "the gateway did not start; its words are above"
            yield found[0]
        finally:
            process.terminate()
            process.wait(60)
    wait_until(lambda: not replicas())


def test_a_replica_killed_under_load_costs_no_client_an_answer_and_no_answer_twice(
    served: str, grounds: Grounds, service: StandIn
) -> None:
    key = add_key(grounds.home / "keys.yaml", "alice")
    with openai.OpenAI(base_url=f"{served}/v1", api_key="wrong") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    service.script([{"fault": "slow", "seconds": 0.1, "piece_seconds": 0.01}])
    prompts = [f"prompt {number}" for number in range(300)]
    answered, seen = set[str](), Counter[str]()
    begun = threading.Event()

    def ask(client: openai.OpenAI, prompt: str) -> None:
        for _ in range(20):
            try:
                text = client.completions.create(model="standin", prompt=prompt).choices[0].text
            except (openai.APIConnectionError, openai.InternalServerError) as error:
                seen[getattr(error, "code", None) or type(error).__name__] += 1
                time.sleep(0.5)
                continue
            assert text == f"answer to: {prompt}"
            answered.add(prompt)
            if len(answered) >= 100:
                begun.set()
            return

    with (
        openai.OpenAI(base_url=f"{served}/v1", api_key=key, max_retries=0) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        asking = [pool.submit(ask, client, prompt) for prompt in prompts]
        assert begun.wait(120)
        before = set(answered)
        victims = replicas()
        assert len(victims) == 2
        victims[0].kill()
        for one in asking:
            one.result(timeout=120)
        assert answered == set(prompts), seen
        asked = Counter(service.prompts())
        assert all(asked[prompt] == 1 for prompt in before), "what was answered is in the store"
        assert sum(asked.values()) <= len(prompts) + 16, "only what the dead replica had under way is asked again"
        wait_until(lambda: len(replicas()) == 2)
        said = [
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(
                model="standin", messages=[{"role": "user", "content": "a stream through the proxy"}], stream=True
            )
        ]
    print(f"clients saw {dict(seen)}; {sum(asked.values()) - len(prompts)} calls were made again")
    assert "".join(said) == "answer to: a stream through the proxy"
    assert sum(map(bool, said)) > 3


def test_it_says_where_ray_serve_listens_already(served: str, grounds: Grounds) -> None:
    surroundings = {"QUACKLLM_HOME": str(grounds.home), "COLUMNS": "200"}
    done = command("quackllm", "serve", "--cluster", grounds.address, "--port", "1", **surroundings)
    assert done.returncode == 1
    assert f"Ray Serve listens on 127.0.0.1 port {served.rpartition(':')[2]}" in " ".join(done.stderr.split())


def test_a_client_that_leaves_stops_the_engine_behind_the_proxy(
    served: str, grounds: Grounds, service: StandIn
) -> None:
    key = add_key(grounds.home / "keys.yaml", "bob")
    service.script([{"fault": "slow", "piece_seconds": 0.1}])
    messages = [{"role": "user", "content": "a long answer " * 100}]
    with openai.OpenAI(base_url=f"{served}/v1", api_key=key) as client:
        stream = client.chat.completions.create(model="standin", messages=messages, stream=True)
        next(iter(stream))
        assert service.state()["under_way"] == 1
        stream.close()
    wait_until(lambda: service.state()["under_way"] == 0, seconds=15)


def test_the_console_works_over_a_model_on_the_cluster(served: str, grounds: Grounds, service: StandIn) -> None:
    make_shop(grounds.home)
    key = add_key(grounds.home / "keys.yaml", "carol")
    body = {"database": "shop", "model": "standin"}
    with httpx2.Client(base_url=served, headers={"Authorization": f"Bearer {key}"}, timeout=120) as console:
        service.script([{"fault": "reply", "text": "SELECT count(*) FROM customers", "times": 3}])
        question = {"question": "How many customers are there?", "votes": 3}
        found = console.post("/console/question", json=body | question).json()
        assert (found["sql"], found["calls"]) == ("SELECT count(*) FROM customers", 2)  # Two of three are enough.

        service.script([])
        sql = "SELECT id, llm_result(standin(body)) AS answer FROM reviews ORDER BY id LIMIT 5"
        last = json.loads(console.post("/console/sql", json=body | {"sql": sql}).text.splitlines()[-1])
        assert last["progress"]["calls"] == 5
        assert last["rows"][0] == ["1", "answer to: Review number 1: the cup is lovely"]

        (model,) = (each for each in console.get("/console/models").json() if each["name"] == "standin")
        assert [replica["alive"] for replica in model["replicas"]] == [True, True]
        assert sum(replica["answered"] for replica in model["replicas"]) >= 7

        service.script([{"fault": "hang"}])
        hangs = {"sql": "SELECT llm_result(standin('Hang: ' || id)) FROM reviews LIMIT 3"}
        with console.stream("POST", "/console/sql", json=body | hangs) as reply:
            seen = (json.loads(line)["progress"] for line in reply.iter_lines())
            assert next(each for each in seen if each["expected"] == 3)["done"] == 0
            wait_until(lambda: service.state()["under_way"] == 3, seconds=15)
    wait_until(lambda: service.state()["under_way"] == 0, seconds=15)  # Who leaves stops the statement.
