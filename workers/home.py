"""QUACKLLM_HOME: the folder of the deployed models, their keys and the call store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock
from platformdirs import user_data_path
from pydantic import SecretStr

from .deployments.spec import ModelSpec, make_spec
from .errors import SetupError
from .secret_refs import map_secrets, redact


def home_folder() -> Path:
    """Return the folder, made if need be: QUACKLLM_HOME, or the user's data folder.

    Raises:
        SetupError: it cannot be made.
    """
    named = os.environ.get("QUACKLLM_HOME")
    path = Path(named).expanduser() if named else user_data_path("quackllm", appauthor=False)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        hint = "type: export QUACKLLM_HOME=/a/folder/of/yours"
        raise SetupError(f"the folder for models and answers cannot be made: {error}", hint=hint) from error
    return path


def read_models() -> dict[str, ModelSpec]:
    """Return the models kept in `models.yaml`, by name.

    Raises:
        RequestError, SetupError: the file holds something that cannot be deployed.
    """
    path = home_folder() / "models.yaml"
    if not path.is_file():
        return {}
    import yaml  # Only those who deployed something wait for it.

    entries: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8")) or {}
    return {name: make_spec(name=name, **fields) for name, fields in entries.items()}


def save_model(spec: ModelSpec) -> None:
    """Write the spec to `models.yaml`, in place of an earlier one of that name."""
    with _locked():
        _write_models({**read_models(), spec.name: spec})


def delete_model(name: str) -> None:
    """Take the model out of `models.yaml`, and its keys out of the folder."""
    with _locked():
        _write_models({kept: spec for kept, spec in read_models().items() if kept != name})
    for path in (home_folder() / "keys").glob(f"{name}.*"):
        path.unlink()


def _locked() -> FileLock:
    return FileLock(home_folder() / "models.lock")


def _write_models(specs: dict[str, ModelSpec]) -> None:
    import yaml

    entries = {spec.name: _fields(spec) for spec in specs.values()}
    draft = home_folder() / "models.yaml.new"
    write_private(draft, yaml.safe_dump(entries, allow_unicode=True, sort_keys=False))
    draft.replace(home_folder() / "models.yaml")


def _fields(spec: ModelSpec) -> dict[str, Any]:
    fields = spec.model_dump(exclude_defaults=True, exclude={"name"}, mode="json")
    if spec.infer_params:
        fields["infer_params"] = map_secrets(spec.infer_params, lambda *secret: _externalize_secret(spec.name, *secret))
    return fields


def _externalize_secret(name: str, key: str, secret: SecretStr) -> str:
    """Return what stands for the secret in the file; a key itself moves to a file that only its owner can read."""
    if redact(secret) == secret.get_secret_value():
        return redact(secret)
    folder = home_folder() / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.{quote(key, safe='')}"
    write_private(path, secret.get_secret_value())
    return f"file:{path}"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whatever the umask says."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        path.chmod(0o600)
        file.write(text)
