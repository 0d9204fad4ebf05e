"""ModelSpec: what is deployed under a name. Frozen and picklable: nothing else crosses to a worker."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator

from ..engines import Engine, engine_names, find_engine
from ..errors import RequestError, SetupError, did_you_mean
from ..secret_refs import hide, is_secret, map_secrets, redact, with_bare_address
from .file_fingerprints import file_fingerprints
from .providers import find_service, service_names

NAME_PATTERN = re.compile(r"[a-z_][a-z0-9_]*")
SECRET_NAME = re.compile(r"(KEY|TOKEN|PASSWORD|SECRET|CREDENTIALS?)$", re.IGNORECASE)
PREFIXES = ("saas.", "backend.")
NOT_IN_IDENTITY = frozenset(
    {
        *("proxy", "organization", "device", "max_batch_size"),
        *("n_parallel", "n_threads", "n_gpu_layers", "n_batch", "flash_attention"),
        *("tensor_parallel_size", "pipeline_parallel_size", "distributed_executor_backend"),
        *("gpu_memory_utilization", "kv_cache_memory_bytes", "num_gpu_blocks_override"),
        *("max_num_seqs", "max_num_batched_tokens", "enable_prefix_caching", "enforce_eager", "disable_log_stats"),
    }
)
"""Settings that cannot change an answer."""
Model = TypeVar("Model", bound=BaseModel)


class Limits(BaseModel):
    """The limits of one model at its service, over all its workers: `infer_params` keys that begin with `limits.`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: float | None = Field(None, gt=0, description="requests started per minute")
    tokens_per_minute: float | None = Field(None, gt=0, description="input and output tokens per minute")
    max_attempts: int = Field(8, ge=1, description="maximum number of attempts for one request")
    timeout_seconds: float = Field(300.0, gt=0, description="time limit of one attempt")


@dataclass(frozen=True)
class EnginePlan:
    """A spec that was read: the engine's class, its validated settings, and the limits."""

    engine: type[Engine]
    settings: BaseModel
    limits: Limits


class ModelSpec(BaseModel):
    """A model, its name, and the workers that answer for it.

    Args:
        name: the SQL function's and the Ray actors' name, `[a-z_][a-z0-9_]*`.
        type: `saas/SERVICE`, `custom/auto` (a local model; `infer_params` has `backend` and
            `model_path`), `builtin/text2sql`, or the name of an engine.
        num_workers: replicas.
        worker_concurrency: requests in flight in one worker; None: the engine's own choice.
        gpus_per_worker, cpus_per_worker, resources_per_worker: what Ray reserves for one worker; the last
            are resources of your own, which nodes were started with, e.g. `{"A100": 1}`.
        env_vars: environment of the workers on a cluster, e.g. `{"NCCL_SOCKET_IFNAME": "eth0"}`; no secrets: Ray
            shows them.
        infer_params: `saas.*` and `backend.*` settings of the engine, `limits.*`, `prompt_form`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), ignored_types=(cached_property,))

    name: str
    type: str
    num_workers: int = Field(1, ge=1)
    worker_concurrency: int | None = Field(None, ge=1)
    gpus_per_worker: float = Field(0, ge=0)
    cpus_per_worker: float = Field(0.01, ge=0)
    resources_per_worker: dict[str, float] = {}
    env_vars: dict[str, str] = {}
    infer_params: dict[str, Any] = {}

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError("a model's name is [a-z_][a-z0-9_]*, e.g. qianwen_chat")
        return name

    @field_validator("env_vars")
    @classmethod
    def _no_secrets(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if SECRET_NAME.search(name):
                raise ValueError(f"{name} looks like a secret, and Ray shows env_vars; write saas.api_key=env:{name}")
        return variables

    @field_validator("infer_params")
    @classmethod
    def _hide_keys(cls, params: dict[str, Any]) -> dict[str, Any]:
        return {key: hide(key, value) for key, value in with_bare_address(params).items()}

    @field_serializer("infer_params")
    def _show(self, params: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = map_secrets(params, lambda _, secret: redact(secret))
        return shown

    @property
    def prompt_form(self) -> str | None:
        """The text-to-SQL prompt form that the model was trained on, if the user set one."""
        form: str | None = self.infer_params.get("prompt_form")
        return form

    def plan(self) -> EnginePlan:
        """Return the engine and its settings.

        Raises:
            SetupError: an unknown type, engine, or key; a value of the wrong type.
        """
        given = {key: value for key, value in self.infer_params.items() if key not in ("backend", "prompt_form")}
        limits = {key.removeprefix("limits."): given.pop(key) for key in list(given) if key.startswith("limits.")}
        settings = {_without_prefix(key): value for key, value in given.items()}
        family, _, variant = self.type.partition("/")
        if family == "saas":
            service = find_service(variant)
            engine = find_engine(service.engine)
            settings = {**service.settings(settings.get("base_url")), **settings}
        elif family == "custom":
            engine = find_engine(self.infer_params.get("backend", "transformers"))
        elif family in engine_names():
            engine = find_engine(family)
        else:
            raise _unknown_type(self.type)
        if self.gpus_per_worker > 1 and "tensor_parallel_size" in engine.Settings.model_fields:
            settings.setdefault("tensor_parallel_size", int(self.gpus_per_worker))
        return EnginePlan(engine, _validated(engine.Settings, settings, self), _validated(Limits, limits, self))

    @cached_property
    def identity(self) -> str:
        """A hash of all that can change an answer: engine, settings and local files, not secrets, name and limits."""
        plan = self.plan()
        dumped = plan.settings.model_dump(mode="json")
        settings = {
            name: value for name, value in dumped.items() if not is_secret(name) and name not in NOT_IN_IDENTITY
        }
        paths = [dumped.get("model_path"), *dumped.get("lora_adapters", {}).values()]
        files = [stamp for path in paths if path for stamp in file_fingerprints(path)]
        text = json.dumps([plan.engine.__name__, settings, *files], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_spec(**fields: Any) -> ModelSpec:
    """Return the spec of these fields.

    Raises:
        RequestError: an unknown field, or a value of the wrong type.
        SetupError: an unknown type or engine setting.
    """
    try:
        spec = ModelSpec(**fields)
    except ValidationError as error:
        raise RequestError(f"the model cannot be deployed: {_format_validation_errors(error, ModelSpec)}") from error
    spec.plan()
    return spec


def _unknown_type(model_type: str) -> SetupError:
    """Return the error for a misspelt type, which may be that of a service or of an engine."""
    types = {*(f"saas/{name}" for name in service_names()), "custom/auto", "builtin/text2sql", *engine_names()}
    if difflib.get_close_matches(model_type.lower(), types):
        hint = did_you_mean(model_type, types)
    else:
        engines = ", ".join(sorted(engine_names()))
        hint = f"there is: saas/SERVICE, custom/auto, builtin/text2sql, and the engines {engines}"
    return SetupError(f"no type of model is called {model_type!r}", hint=hint)


def _without_prefix(key: str) -> str:
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    return key


def _validated(model: type[Model], values: dict[str, Any], spec: ModelSpec) -> Model:
    try:
        return model(**values)
    except ValidationError as error:
        raise SetupError(f"{spec.name} ({spec.type}): {_format_validation_errors(error, model)}") from error


def _format_validation_errors(error: ValidationError, model: type[BaseModel]) -> str:
    """Say what is wrong with each field; never the value, which may be a secret."""
    lines = []
    for complaint in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in complaint["loc"])
        hint = f" ({did_you_mean(name, model.model_fields)})" if complaint["type"] == "extra_forbidden" else ""
        lines.append(f"{name}: {complaint['msg']}{hint}")
    return "; ".join(lines)
