"""The parts of the vLLM engine that need no vLLM: its settings, its sampling, its processes' first module."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from quackllm.workers.deployments.spec import ModelSpec, make_spec
from quackllm.workers.engines import EmbeddingEngine, StreamingEngine
from quackllm.workers.engines.vllm.engine import VllmEngine
from quackllm.workers.engines.vllm.loading import arguments, as_config, check_arguments, failure_message
from quackllm.workers.engines.vllm.sampling import sampling_fields
from quackllm.workers.engines.vllm.settings import VllmSettings
from quackllm.workers.errors import DeployError, MissingExtraError, ProviderError, SetupError
from quackllm.workers.options import Options

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def spec(**fields: Any) -> ModelSpec:
    params = {"backend": "vllm", "model_path": "m", **fields.pop("params", {})}
    return make_spec(name="m", type="custom/auto", infer_params=params, **fields)


def settings(**fields: Any) -> VllmSettings:
    return VllmSettings(model_path="m", **fields)


def adapter(folder: Path, rank: int) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    return str(folder)


def test_vllm_keeps_the_protocols() -> None:
    assert isinstance(VllmEngine(settings()), StreamingEngine)
    assert isinstance(VllmEngine(settings()), EmbeddingEngine)


def test_the_gpus_of_a_worker_share_a_model() -> None:
    def parallel(**fields: Any) -> Any:
        return arguments(VllmSettings(**spec(**fields).plan().settings.model_dump()))["tensor_parallel_size"]

    assert [parallel(), parallel(gpus_per_worker=0.5), parallel(gpus_per_worker=1)] == [1, 1, 1]
    assert parallel(gpus_per_worker=4) == 4
    assert parallel(gpus_per_worker=4, params={"backend.tensor_parallel_size": 2}) == 2


def test_what_is_not_ours_goes_to_vllm() -> None:
    plan = spec(params={"backend.max_model_len": 512, "quantization": "awq", "backend.max_tokens": 7}).plan()
    given = arguments(VllmSettings(**plan.settings.model_dump()))
    own = {"model": "m", "tensor_parallel_size": 1, "use_tqdm_on_load": False}
    assert given == {**own, "max_model_len": 512, "quantization": "awq"}


def test_an_argument_that_vllm_does_not_have_is_named() -> None:
    known = dict.fromkeys(["model", "max_model_len", "dtype", "hf_token"])
    check_arguments(settings(max_model_len=1, dtype="float32"), known)
    with pytest.raises(DeployError, match=r"vLLM has no argument max_modellen\ndid you mean 'max_model_len'"):
        check_arguments(settings(max_modellen=1), known)
    with pytest.raises(DeployError, match=r"vLLM has no argument max_token\ndid you mean 'max_tokens'"):
        check_arguments(settings(max_token=1), known)
    with pytest.raises(DeployError, match="it is called model_path"):
        check_arguments(settings(model="x"), known)
    with pytest.raises(DeployError, match="set HF_TOKEN"):
        check_arguments(settings(hf_token="secret"), known)


@dataclass
class Pooling:
    kind: str = "LAST"


def test_a_dict_becomes_the_configuration_that_vllm_wants() -> None:
    assert as_config(Pooling | None, {"kind": "MEAN"}) == as_config(Pooling, {"kind": "MEAN"}) == Pooling("MEAN")
    assert as_config(dict[str, Any] | None, {"kind": "MEAN"}) == {"kind": "MEAN"}
    assert as_config(Pooling | None, None) is None


def test_adapters_have_room(tmp_path: Path) -> None:
    adapters = {"sql": adapter(tmp_path / "a", 4), "talk": adapter(tmp_path / "b", 24), "hub": "someone/adapter"}
    given = arguments(settings(lora_adapters=adapters))
    assert (given["enable_lora"], given["max_loras"], given["max_lora_rank"]) == (True, 4, 32)
    assert arguments(settings(lora_adapters=adapters, max_loras=1, max_lora_rank=64))["max_loras"] == 1
    with pytest.raises(SetupError, match=r"lora: .*no adapter has that name: did you mean 'sql'"):
        spec(params={"backend.lora_adapters": adapters, "backend.lora": "sq"})


def test_an_adapters_files_are_part_of_the_identity(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", 4)
    before = spec(params={"backend.lora_adapters": {"sql": folder}}).identity
    assert spec(params={"backend.lora_adapters": {"sql": folder}}).identity == before
    (tmp_path / "a" / "adapter_model.safetensors").write_bytes(b"new")
    assert spec(params={"backend.lora_adapters": {"sql": folder}}).identity != before


def test_what_cannot_change_an_answer_is_not_part_of_the_identity() -> None:
    assert spec(gpus_per_worker=2, params={"backend.gpu_memory_utilization": 0.5}).identity == spec().identity
    assert spec(params={"backend.quantization": "fp8"}).identity != spec().identity


def test_options_reach_vllm() -> None:
    options = Options(
        top_p=0.5, top_k=3, seed=7, stop=("END",), presence_penalty=1.0, extra={"min_p": 0.1, "lora": "x"}
    )
    given = {"temperature": 0.0, "top_p": 0.5, "top_k": 3, "seed": 7, "presence_penalty": 1.0}
    assert sampling_fields(options) == {**given, "stop": ["END"], "min_p": 0.1}


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (SCHEMA, {"json": SCHEMA}),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}, {"json": SCHEMA}),
        ({"type": "json_object"}, {"json_object": True}),
        ({"choice": ["yes", "no"]}, {"choice": ["yes", "no"]}),
        ({"regex": "[0-9]+"}, {"regex": "[0-9]+"}),
        ({"grammar": 'root ::= "a"'}, {"grammar": 'root ::= "a"'}),
    ],
)
def test_each_form_of_a_structure(asked: dict[str, Any], given: dict[str, Any]) -> None:
    assert sampling_fields(Options(response_format=asked))["structured_outputs"] == given


@pytest.mark.parametrize("name", ["min_pp", "n", "logprobs", "output_kind"])
def test_what_vllm_is_not_asked_for_is_refused(name: str) -> None:
    with pytest.raises(ProviderError, match=name) as caught:
        sampling_fields(Options(extra={name: 1}))
    assert (caught.value.code, caught.value.retryable) == ("unsupported_option", False)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is here")
def test_vllm_that_is_missing_names_its_extra() -> None:
    with pytest.raises(MissingExtraError) as caught:
        asyncio.run(VllmEngine(settings()).start())
    assert caught.value.hint == 'pip install "quackllm[vllm]"'


def test_vllms_own_words_are_found_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "errors"
    log.write_text(
        "EngineCore failed to start.\nTraceback …\n  raise ValueError(\nValueError: too small\n\nRuntimeError: b\n"
    )
    assert failure_message(RuntimeError("see above"), log) == "ValueError: too small"
    assert failure_message(RuntimeError("see above"), tmp_path / "none") == "see above"


SCRIPT = """
import multiprocessing, sys, time
from quackllm.workers.engines.vllm.loading import patched_child

print("script", flush=True)
with patched_child():
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_process_of_vllms_ends_with_its_parent_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    assert parent.stdout.readline() == "script\n"
    child = psutil.Process(int(parent.stdout.readline()))
    deadline = time.monotonic() + 20
    while child.num_threads() < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGINT)
    time.sleep(0.3)
    assert child.is_running()
    assert child.status() != psutil.STATUS_ZOMBIE
    parent.kill()
    assert parent.communicate()[0] == "", "the script ran again"
    child.wait(timeout=10)
