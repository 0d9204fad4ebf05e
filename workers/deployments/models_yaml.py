"""The deployed models of this machine, in `models.yaml`; their keys lie beside it, each in a file of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from filelock import FileLock
from pydantic import SecretStr

from ..atomic_files import atomic_write_text
from ..home import home_folder
from ..secret_refs import map_secrets, redact
from .spec import ModelSpec, make_spec


def read_models() -> dict[str, ModelSpec]:
    """Return the models saved in `models.yaml`, by name.

    Raises:
        RequestError, SetupError: the file holds something that cannot be deployed.
    """
    path = home_folder() / "models.yaml"
    if not path.is_file():
        return {}
    import yaml  # Only those who deployed something wait for it.

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is six times as fast; not every build has it.
    entries: dict[str, dict[str, Any]] = yaml.load(path.read_text("utf-8"), loader) or {}
    return {name: make_spec(name=name, **fields) for name, fields in entries.items()}


def save_model(spec: ModelSpec) -> None:
    """Write the spec to `models.yaml`; it replaces one of the same name."""
    with _locked():
        _write_models({**read_models(), spec.name: spec})


def delete_model(name: str) -> None:
    """Take the model out of `models.yaml`, and its keys out of the folder."""
    with _locked():
        _write_models({other: spec for other, spec in read_models().items() if other != name})
    for path in (home_folder() / "keys").glob(f"{name}.*"):
        path.unlink()


def _locked() -> FileLock:
    return FileLock(home_folder() / "models.lock", mode=0o600)


def _write_models(specs: dict[str, ModelSpec]) -> None:
    import yaml

    entries = {spec.name: _fields(spec) for spec in specs.values()}
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(entries, Dumper=dumper, allow_unicode=True, sort_keys=False)
    atomic_write_text(home_folder() / "models.yaml", text, mode=0o600)


def _fields(spec: ModelSpec) -> dict[str, Any]:
    fields = spec.model_dump(exclude_defaults=True, exclude={"name"}, mode="json")
    if spec.infer_params:
        fields["infer_params"] = map_secrets(spec.infer_params, lambda *secret: _externalize_secret(spec.name, *secret))
    return fields


def _externalize_secret(name: str, key: str, secret: SecretStr) -> str:
    """Return the secret's reference for `models.yaml`; a key itself moves to a file that only its owner can read."""
    if redact(secret) == secret.get_secret_value():
        return redact(secret)
    folder = home_folder() / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}.{quote(key, safe='')}"
    atomic_write_text(path, secret.get_secret_value(), mode=0o600)
    return f"file:{path}"
