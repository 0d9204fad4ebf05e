"""Writes the two schema files of this folder from clones of their projects (see README.md here).

    python tests/support/schemas/make.py ~/kuberay v1.7.0 ~/compose-spec 170098b

Descriptions are left out, parts that occur twice are written once, and KubeRay's objects are closed, as the API
server closes them: it refuses a field that it does not know.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
KINDS = {"RayCluster": "rayclusters", "RayJob": "rayjobs", "RayService": "rayservices"}
WORDS = ("description", "title", "examples", "x-kubernetes-validations")
WORTH_NAMING = 300


def read(clone: str, commit: str, path: str) -> str:
    command = ["git", "-C", clone, "show", f"{commit}:{path}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def without_words(schema: Any, *, closed: bool, names: bool = False) -> Any:
    """Return the schema without descriptions; `names` says that the keys are properties, not keywords."""
    if isinstance(schema, list):
        return [without_words(part, closed=closed) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: without_words(part, closed=closed, names=not names and key in ("properties", "patternProperties"))
        for key, part in schema.items()
        if names or key not in WORDS
    }
    if closed and not names and "properties" in inner and "x-kubernetes-preserve-unknown-fields" not in inner:
        inner.setdefault("additionalProperties", False)
    return inner


def with_shared_parts(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return one schema in which a part that occurs more than once stands once, under `$defs`."""
    seen: Counter[str] = Counter()
    named: dict[str, str] = {}
    parts: dict[str, Any] = {}

    def count(part: Any) -> None:
        text = json.dumps(part, sort_keys=True)
        if isinstance(part, dict) and "type" in part and len(text) > WORTH_NAMING:
            seen[text] += 1
        if seen[text] < 2:  # What is inside of a part that was met before was counted then.
            for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
                count(inner)

    def shared(part: Any) -> Any:
        text = json.dumps(part, sort_keys=True)
        if seen[text] > 1 and text in named:
            return {"$ref": f"#/$defs/{named[text]}"}
        if isinstance(part, dict):
            written = {key: shared(inner) for key, inner in part.items()}
        else:
            return [shared(inner) for inner in part] if isinstance(part, list) else part
        if seen[text] < 2:
            return written
        named[text] = f"part{len(named) + 1}"
        parts[named[text]] = written
        return {"$ref": f"#/$defs/{named[text]}"}

    count(schemas)
    return {**shared(schemas), "$defs": parts}


def kuberay(clone: str, commit: str) -> dict[str, Any]:
    schemas = {}
    for kind, plural in KINDS.items():
        definition = yaml.safe_load(read(clone, commit, f"ray-operator/config/crd/bases/ray.io_{plural}.yaml"))
        version = next(version for version in definition["spec"]["versions"] if version["name"] == "v1")
        schema = without_words(version["schema"]["openAPIV3Schema"], closed=True)
        del schema["properties"]["status"]  # The operator writes it.
        schemas[kind] = schema
    return with_shared_parts(schemas)


def write(name: str, schema: dict[str, Any]) -> None:
    (HERE / name).write_text(json.dumps(schema, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    kuberay_clone, kuberay_commit, compose_clone, compose_commit = sys.argv[1:]
    write("kuberay.json", kuberay(kuberay_clone, kuberay_commit))
    compose = json.loads(read(compose_clone, compose_commit, "schema/compose-spec.json"))
    write("compose.json", without_words(compose, closed=False))
