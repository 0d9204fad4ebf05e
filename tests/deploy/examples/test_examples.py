from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from quackllm.deploy.models_file import read_models_file
from quackllm.workers.deployments.spec import ModelSpec
from quackllm.workers.secret_refs import map_secrets

import quackllm
from support.deploy_files import DEPLOY, ROOT

EXAMPLES = DEPLOY / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_of_models_is_read_and_holds_no_key(path: Path) -> None:
    specs = list(read_models_file(path).values())
    assert specs
    assert all(isinstance(spec, ModelSpec) for spec in specs)
    secrets: list[str] = []
    for spec in specs:
        map_secrets(spec.infer_params, lambda _, secret: secrets.append(secret.get_secret_value()) or "")
    assert all(secret.startswith("env:") for secret in secrets)


def test_the_example_of_a_job_reads_parquet_and_writes_it(tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    duckdb.sql("SELECT 1 AS id, 'It broke.' AS text").write_parquet(str(tmp_path / "mails" / "1.parquet"))
    job = (EXAMPLES / "nightly.sql").read_text("utf-8").replace("/data", str(tmp_path))
    quackllm.deploy("qianwen_chat", "echo")
    with quackllm.connect() as connection:
        connection.execute(job)
    rows = duckdb.sql(f"FROM '{tmp_path}/complaints.parquet'").fetchall()
    assert rows == [(1, "It broke.", "echo: Answer yes or no. Is this a complaint? It broke.")]


def test_the_model_on_several_machines_is_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    file = tmp_path / "models.yaml"
    file.write_text(re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0], "utf-8")
    (spec,) = read_models_file(file).values()
    settings = spec.plan().settings
    assert (settings.tensor_parallel_size, settings.pipeline_parallel_size) == (8, 2)
