"""A file of models such as `models.yaml`: read, and deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from ..workers import connect_fleet
from ..workers.deployments.model_names import check_model_name
from ..workers.deployments.spec import ModelSpec, make_spec
from ..workers.errors import QuackLLMError, RequestError, SetupError
from ..workers.secret_refs import HIDDEN, map_secrets, redact
from ..workers.serving.fleet import Fleet
from ..workers.serving.local_fleet import LocalFleet

EXAMPLE = "write e.g. qianwen_chat: {type: saas/qianwen, infer_params: {saas.model: qwen-max}}"


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """What happened to one model.

    Args:
        name: the model.
        outcome: 'deployed', 'rolled out', 'unchanged', 'undeployed', 'not pruned' or 'failed'.
        why: the reason; '' for none.
        hint: what to type; '' for nothing.
    """

    name: str
    outcome: str
    why: str = ""
    hint: str = ""


class _Loader(yaml.SafeLoader):
    """Refuses a duplicate key; YAML's own loader silently takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping."""
        keys = [key.value for key, _ in node.value]
        if duplicate := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"{duplicate!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_models_file(path: Path) -> dict[str, ModelSpec | QuackLLMError]:
    """Return each model of the file, or its error.

    Raises:
        SetupError: the file cannot be read.
    """
    try:
        entries = yaml.load(path.read_text("utf-8"), _Loader) or {}
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} is not YAML: {error}", hint=EXAMPLE) from error
    if not isinstance(entries, dict):
        raise SetupError(f"{path} is not a mapping of names to models", hint=EXAMPLE)
    return {str(name): _parse_entry(str(name), fields) for name, fields in entries.items()}


def _parse_entry(name: str, fields: Any) -> ModelSpec | QuackLLMError:
    if not isinstance(fields, dict) or "name" in fields:
        return RequestError(f"{name}: its settings are not a mapping with a type", hint=EXAMPLE)
    try:
        spec = make_spec(name=name, **{str(key): value for key, value in fields.items()})
        check_model_name(spec.name)
    except QuackLLMError as error:
        return error
    return spec


def apply_models_file(path: Path, cluster: str | None, *, prune: bool = False) -> Iterator[ApplyOutcome]:
    """Deploy the models of a file one by one; a failure does not stop the others.

    Args:
        path: the file.
        cluster: as for `deploy`.
        prune: undeploy models that the file does not contain, unless a model of the file failed.

    Raises:
        SetupError: the file cannot be read, or no cluster answers.
    """
    entries, fleet = read_models_file(path), connect_fleet(cluster)
    failed = False
    for name, spec in entries.items():
        outcome = _failure(name, spec) if isinstance(spec, QuackLLMError) else _deploy(fleet, spec)
        failed |= outcome.outcome == "failed"
        yield outcome
    surplus = sorted(fleet.deployed().keys() - entries.keys()) if prune else []
    for name in surplus:
        yield ApplyOutcome(name, "not pruned", "because of the failure above") if failed else _undeploy(fleet, name)


def _deploy(fleet: Fleet, spec: ModelSpec) -> ApplyOutcome:
    try:
        outcome = fleet.deploy(spec)
    except QuackLLMError as error:
        return _failure(spec.name, error)
    finally:
        if isinstance(fleet, LocalFleet):
            fleet.close()  # Each model was started as a test; all at once may not fit in memory.
    note = "the file contains an API key; env:NAME is safer" if _has_literal_key(spec.infer_params) else ""
    return ApplyOutcome(spec.name, outcome, note)


def undeploy_all(names: Iterable[str], cluster: str | None) -> Iterator[ApplyOutcome]:
    """Undeploy models one by one; a failure does not stop the others."""
    fleet = connect_fleet(cluster)
    for name in dict.fromkeys(names):
        yield _undeploy(fleet, name)


def _undeploy(fleet: Fleet, name: str) -> ApplyOutcome:
    try:
        fleet.undeploy(name)
    except QuackLLMError as error:
        return _failure(name, error)
    return ApplyOutcome(name, "undeployed")


def _failure(name: str, error: QuackLLMError) -> ApplyOutcome:
    return ApplyOutcome(name, "failed", error.message, error.hint)


def _has_literal_key(params: Mapping[str, Any]) -> bool:
    secrets: list[SecretStr] = []
    map_secrets(dict(params), lambda _, secret: secrets.append(secret) or "")  # type: ignore[func-returns-value]
    return any(redact(secret) == HIDDEN for secret in secrets)
