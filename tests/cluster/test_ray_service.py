"""The application that a RayService names, built by Ray Serve from its `args`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.workers.errors import DeployError, SetupError

from support.ray_cluster import MARKS, Grounds, running_cluster
from support.ray_heads import HERE, free_port

pytestmark = MARKS


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    with running_cluster(tmp_path_factory.mktemp("service"), 1) as running:
        yield running


def test_the_service_deploys_its_models_and_then_answers(grounds: Grounds, tmp_path: Path) -> None:
    from quackllm.deploy.gateway.serving.ray_service import application
    from ray import serve

    models, keys, port = tmp_path / "models.yaml", tmp_path / "keys.yaml", free_port()
    models.write_text("parrot: {type: echo, num_workers: 2}", "utf-8")
    args = {"models": str(models), "keys": str(keys), "cluster": grounds.address, "replicas": 1}
    with pytest.raises(SetupError, match="no API key"):
        application(args)
    key = add_key(keys, "me")
    serve.start(http_options={"host": HERE, "port": port})
    try:
        serve.run(application(args), name="quackllm", route_prefix="/")
        with openai.OpenAI(base_url=f"http://{HERE}:{port}/v1", api_key=key) as client:
            asked = [{"role": "user", "content": "hello"}]
            answer = client.chat.completions.create(model="parrot", messages=asked)
            assert answer.choices[0].message.content == "echo: hello"
        models.write_text("broken: {type: saas/openai, infer_params: {saas.api_key: 'env:NOT_THERE'}}", "utf-8")
        with pytest.raises(DeployError, match="NOT_THERE"):
            application(args)
    finally:
        serve.shutdown()
