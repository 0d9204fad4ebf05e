"""Loads a model and its tokenizer for the transformers engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...errors import DeployError, MissingExtraError
from ...quiet_imports import import_tqdm
from .batching import LoadedModel
from .settings import TransformersSettings

MODELSCOPE = "modelscope:"
PATH_HINT = "write a folder with a config.json, a Hugging Face id such as Qwen/Qwen2.5-Coder-7B, or modelscope:ID"
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")


def load_model(settings: TransformersSettings) -> LoadedModel:
    """Return the model of these settings, ready to answer.

    Raises:
        MissingExtraError: a package is not installed.
        DeployError: the model cannot be loaded; the message is the library's.
    """
    try:
        import_tqdm()
        from transformers import AutoModelForCausalLM, AutoTokenizer

        path = resolve_model_path(settings.model_path)
        options = {"trust_remote_code": settings.trust_remote_code}
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left", **options)
        device = device_map(settings.device)
        model = AutoModelForCausalLM.from_pretrained(
            path, device_map=device, **weight_options(settings, device), **options
        )
    except ImportError as error:
        raise MissingExtraError(
            f"a local model needs {error.name or error}", hint='pip install "quackllm[local]"'
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        wanted = settings.model_path  # Not `path`: fetching it may be what failed.
        is_folder = Path(wanted).expanduser().is_dir()
        hint = "" if is_folder else f"there is no folder {wanted}, and no such model could be fetched"
        raise DeployError(f"{settings.model_path} cannot be loaded: {error}", hint=hint) from error
    model.eval()
    return LoadedModel(model, tokenizer, settings)


def resolve_model_path(path: str) -> str:
    """Return a folder's absolute path or a Hugging Face id; a `modelscope:` id is fetched first.

    Raises:
        DeployError: it can be neither.
    """
    if path.startswith(MODELSCOPE):
        from modelscope import snapshot_download

        return str(snapshot_download(path.removeprefix(MODELSCOPE)))
    folder = Path(path).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if not HUB_ID.fullmatch(path):
        raise DeployError(f"there is no model folder {path}", hint=PATH_HINT)
    return path


def device_map(device: str) -> str:
    """Return where the weights go: all GPUs where there are several, one, or the CPU."""
    import torch

    if device != "auto":
        return device
    count = torch.cuda.device_count()
    return "auto" if count > 1 else "cuda" if count else "cpu"


def weight_options(settings: TransformersSettings, device: str) -> dict[str, Any]:
    """Return how the weights are held: their type, and bitsandbytes' settings where they are quantized."""
    import torch
    from transformers import BitsAndBytesConfig

    half = torch.bfloat16 if device == "cpu" or torch.cuda.is_bf16_supported() else torch.float16
    weight_type = (
        (torch.float32 if device == "cpu" else half) if settings.dtype == "auto" else getattr(torch, settings.dtype)
    )
    if settings.quantization == "8bit":
        return {"dtype": weight_type, "quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    if settings.quantization == "4bit":
        four = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=weight_type)
        return {"dtype": weight_type, "quantization_config": four}
    return {"dtype": weight_type}
