"""The prompt form that a fine-tuned model was trained on: saved beside its weights, and named when it is deployed."""

from __future__ import annotations

import json
from pathlib import Path

FILE_NAME = "quackllm.json"


def save_prompt_form(folder: Path, prompt_form: str | None) -> None:
    """Save the prompt form in a model's folder; None: it is not known, or the model was trained on plain chats."""
    if prompt_form:
        (folder / FILE_NAME).write_text(json.dumps({"prompt_form": prompt_form}), "utf-8")


def load_prompt_form(folder: Path) -> str | None:
    """Return the prompt form that was saved in a model's folder, if any."""
    path = folder / FILE_NAME
    return json.loads(path.read_text("utf-8")).get("prompt_form") if path.is_file() else None


def deploy_command(name: str, options: str, prompt_form: str | None) -> str:
    """Return the command line that deploys the model."""
    form = f" -p prompt_form={prompt_form}" if prompt_form else ""
    return f"quackllm deploy {name} custom/auto {options}{form}"
