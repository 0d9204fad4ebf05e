"""The line that deploys a model as it is deployed now, to copy into a terminal."""

from __future__ import annotations

import json
import shlex

from pydantic import SecretStr

from ....workers.deployments.spec import ModelSpec
from ....workers.home import home_folder
from ....workers.secret_refs import REFERENCES, map_secrets

FLAGS = ("num_workers", "worker_concurrency", "gpus_per_worker")


def deploy_line(spec: ModelSpec, cluster: str | None) -> str:
    """Return the command. A key itself is not in it: a variable stands there, which its reader has to set.

    Args:
        spec: the model.
        cluster: where it is deployed; None: this machine.
    """
    words = ["quackllm", "deploy", spec.name, spec.type]
    for flag in FLAGS:
        if (value := getattr(spec, flag)) not in (None, ModelSpec.model_fields[flag].default):
            words += [f"--{flag.replace('_', '-')}", f"{value:g}"]
    for key, value in map_secrets(spec.infer_params, _reference).items():
        words += ["-p", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join([*words, *(["--cluster", cluster] if cluster else [])])


def _reference(name: str, secret: SecretStr) -> str:
    """Return a reference as it is; for a key that was typed, which is kept in a file of ours, a variable."""
    held = secret.get_secret_value()
    is_typed = not held.startswith(REFERENCES) or held.startswith(f"file:{home_folder()}")
    return f"env:{name.rpartition('.')[2].upper()}" if is_typed else held
