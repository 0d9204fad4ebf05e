"""Starts vLLM: checks its arguments, loads its adapters, and finds its error message when it fails."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from ...errors import DeployError, MissingExtraError, did_you_mean
from ..transformers.loading import resolve_model_path
from .settings import VllmSettings

EXTRA = 'pip install "quackllm[vllm]"'
CHILD = "quackllm.workers.engines.vllm.child"
# Environment variables of vLLM's that are set unless the user has set them.
DEFAULTS = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a process with DuckDB's threads cannot be forked safely
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # its own binding would put all workers of a machine on the same cores
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}

RESERVED_ARGUMENTS = {
    "model": "it is called model_path",
    "hf_token": "set HF_TOKEN in the environment of the process that loads the model",
}
GRACE_SECONDS = 8.0  # How long vLLM's processes have to end by themselves; they take 5 s.

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # The values that vLLM's `max_lora_rank` can have.
CAUSE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): .+", re.MULTILINE)


def load(settings: VllmSettings) -> Any:
    """Return a running `AsyncLLM`.

    Raises:
        MissingExtraError: vLLM is not installed.
        DeployError: an argument that vLLM does not have, or a model that it cannot load; the message is vLLM's.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if find_spec("vllm") is None:
        raise MissingExtraError("the vllm engine needs vllm", hint=EXTRA)
    from vllm import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    check_arguments(settings, AsyncEngineArgs.__dataclass_fields__)
    with TemporaryDirectory(prefix="quackllm-vllm-") as folder, patched_child():
        log = Path(folder) / "errors"
        try:
            given = {"log_config_file": log_config(log), **arguments(settings)}
            fields = AsyncEngineArgs.__dataclass_fields__
            typed = {name: as_config(fields[name].type, value) for name, value in given.items()}
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**typed))
        except (OSError, ValueError, RuntimeError, TypeError, NotImplementedError) as error:
            raise DeployError(f"{settings.model_path} cannot be loaded: {failure_message(error, log)}") from error


def shutdown(llm: Any) -> None:
    """End the processes of an `AsyncLLM`. Called in a thread, or at the interpreter's exit."""
    if llm.output_handler is not None:
        llm.output_handler.get_loop().call_soon_threadsafe(llm.output_handler.cancel)
    llm.shutdown(GRACE_SECONDS)


def check_arguments(settings: VllmSettings, vllm_arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that vLLM does not have.

    Raises:
        DeployError: names them, and the near ones.
    """
    given = settings.model_extra or {}
    for name in sorted(given.keys() & RESERVED_ARGUMENTS.keys()):
        raise DeployError(f"backend.{name} cannot be set for vLLM", hint=RESERVED_ARGUMENTS[name])
    unknown = sorted(given.keys() - vllm_arguments.keys())
    if unknown:
        near = did_you_mean(unknown[0], {*vllm_arguments, *type(settings).model_fields} - RESERVED_ARGUMENTS.keys())
        raise DeployError(f"vLLM has no argument {', '.join(unknown)}", hint=near)


def arguments(settings: VllmSettings) -> dict[str, Any]:
    """Return the fields of vLLM's `AsyncEngineArgs`."""
    own = {"tensor_parallel_size": settings.tensor_parallel_size, "use_tqdm_on_load": False}
    given = {**own, **(settings.model_extra or {})}
    if settings.lora_adapters:
        # One slot more than there are adapters: with none free, rows without an adapter were given their neighbour's.
        adapters = len(settings.lora_adapters) + 1
        max_rank = max(map(rank, settings.lora_adapters.values()))
        given = {"enable_lora": True, "max_loras": adapters, "max_lora_rank": max_rank, **given}
    return {**given, "model": resolve_model_path(settings.model_path)}


def as_config(config_class: Any, value: Any) -> Any:
    """Return a dict as the configuration class that vLLM's argument takes, if it takes one."""
    wanted: list[Any] = [part for part in (config_class, *get_args(config_class)) if is_dataclass(part)]
    return wanted[0](**value) if wanted and isinstance(value, dict) else value


def rank(adapter: str) -> int:
    """Return the room that an adapter's rank needs: vLLM's usual 16 where its folder cannot be read."""
    file = Path(adapter) / "adapter_config.json"
    if not file.is_file():
        return 16
    needed = int(json.loads(file.read_text("utf-8"))["r"])
    return min((choice for choice in RANKS if choice >= needed), default=needed)


def log_config(errors: Path) -> str:
    """Return the path of a logging configuration that also writes errors to a file.

    vLLM's processes report why they failed only in their log.
    """
    from vllm.logger import DEFAULT_LOGGING_CONFIG

    config: dict[str, Any] = dict(DEFAULT_LOGGING_CONFIG)
    config["formatters"] = {**config["formatters"], "bare": {"format": "%(message)s"}}
    file = {"class": "logging.FileHandler", "filename": str(errors), "level": "ERROR", "formatter": "bare"}
    config["handlers"] = {**config["handlers"], "errors": file}
    config["loggers"] = {"vllm": {**config["loggers"]["vllm"], "handlers": ["vllm", "errors"]}}
    path = errors.with_suffix(".json")
    path.write_text(json.dumps(config), "utf-8")
    return str(path)


def failure_message(error: BaseException, log: Path) -> str:
    """Return the first error that vLLM's processes logged, or else this error's message."""
    found = CAUSE.search(log.read_text("utf-8")) if log.is_file() else None
    return found.group() if found else str(error)


@contextmanager
def patched_child() -> Iterator[None]:
    """Let processes that are spawned meanwhile import `child.py` in place of the user's script."""
    main = sys.modules["__main__"]
    before = main.__spec__
    main.__spec__ = find_spec(CHILD)
    try:
        yield
    finally:
        main.__spec__ = before
