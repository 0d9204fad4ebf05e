"""Notes from dbt's `semantic_manifest.json`: its measures, dimensions and metrics as lines of Markdown.

Source: the artifact that dbt writes into `target/`, with `semantic_models` and `metrics`
(docs.getdbt.com/reference/artifacts/sl-manifest).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MANIFEST = "semantic_manifest.json"
MAX_LINES = 2_000


def is_manifest(text: str) -> bool:
    """Whether a text is such a manifest."""
    return text.lstrip().startswith("{") and '"semantic_models"' in text


def manifest_notes(text: str) -> str:
    """Return the notes of a manifest; '' if it cannot be read."""
    try:
        manifest = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return ""
    if not isinstance(manifest, dict):
        return ""
    lines = [*_model_lines(manifest), *_metric_lines(manifest)]
    return "\n".join(lines[:MAX_LINES])


def _objects(value: Any, key: str) -> list[dict[str, Any]]:
    """Return the objects in a list of an object; what has another form is left out."""
    found = value.get(key) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _model_lines(manifest: dict[str, Any]) -> Iterator[str]:
    for model in _objects(manifest, "semantic_models"):
        relation = model.get("node_relation") or {}
        table = relation.get("alias") or model.get("name")
        yield f"## Table {table}"
        if model.get("description"):
            yield _line(str(model["description"]))
        for measure in _objects(model, "measures"):
            formula = f"{measure.get('agg', '')}({measure.get('expr') or measure.get('name')})"
            yield _line(f"- measure {measure.get('name')}: {formula} {measure.get('description') or ''}")
        for part in (*_objects(model, "dimensions"), *_objects(model, "entities")):
            means = part.get("description") or part.get("label") or ""
            expression = part.get("expr")
            if means or (expression and expression != part.get("name")):
                yield _line(f"- {part.get('name')}: {expression or part.get('name')} {means}")


def _metric_lines(manifest: dict[str, Any]) -> Iterator[str]:
    metrics = _objects(manifest, "metrics")
    if metrics:
        yield "## Metrics"
    for metric in metrics:
        parameters = metric.get("type_params") or {}
        measure = parameters.get("measure") or {}
        formula = parameters.get("expr") or (measure.get("name") if isinstance(measure, dict) else measure) or ""
        ratio = [parameters.get(part) for part in ("numerator", "denominator")]
        if all(isinstance(part, dict) for part in ratio):
            formula = " / ".join(str(part.get("name")) for part in ratio if part)
        label = f" ({metric['label']})" if metric.get("label") else ""
        yield _line(f"- {metric.get('name')}{label}: {formula} {metric.get('description') or ''}")


def _line(text: str) -> str:
    return " ".join(text.split())
