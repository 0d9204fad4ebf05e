"""Merges a LoRA adapter into its base: one model that needs no peft to run.

quackllm merge --adapter runs/sql --output-dir models/sql
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..atomic_files import atomic_write
from ..errors import TrainingError
from .base_models import base_path, first_line, load_tokenizer, translated_errors
from .run_folder import require_finished
from .settings import MergeSettings


def merge(settings: MergeSettings) -> Path:
    """Write the base with the adapter added to its weights, its tokenizer and chat template beside it.

    An adapter that was trained on a base in 4 or 8 bits is added to the base's whole weights.

    Returns:
        The merged model's folder.

    Raises:
        TrainingError: the run has not finished, it is no adapter, the base is not found, or output_dir exists.
        MissingExtraError: a package of the extra `train` is not installed.
    """
    target = Path(settings.output_dir)
    if target.exists():
        raise TrainingError(f"{target} exists already", hint=f"type: --output-dir ANOTHER   or:  rm -r {target}")
    with translated_errors():
        adapter = require_finished(settings.adapter)
        base = base_path(settings.model_name or _trained_on(adapter))
        model = _merged(base, adapter, settings)
        own = adapter if (adapter / "tokenizer_config.json").is_file() else base
        with atomic_write(target) as draft:
            model.save_pretrained(draft)
            load_tokenizer(str(own), settings.trust_remote_code).save_pretrained(draft)
    return target


def _trained_on(adapter: Path) -> str:
    """Return the base that the adapter names."""
    from peft import PeftConfig

    if not (adapter / "adapter_config.json").is_file():
        whole = (adapter / "config.json").is_file()
        hint = "it is a whole model: deploy it as it is" if whole else "is the path right?"
        raise TrainingError(f"{adapter} contains no LoRA adapter", hint=hint)
    return str(PeftConfig.from_pretrained(str(adapter)).base_model_name_or_path)


def _merged(base: str, adapter: Path, settings: MergeSettings) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=settings.dtype, trust_remote_code=settings.trust_remote_code
        )
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    except (OSError, ValueError, RuntimeError) as error:
        hint = "is it the base that the adapter was trained on? Type: --model-name BASE"
        raise TrainingError(f"{adapter} cannot be merged into {base}: {first_line(error)}", hint=hint) from error
