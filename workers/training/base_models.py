"""Loads the tokenizer and weights that a run starts from; its errors say what to type."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..engines.transformers.loading import PATH_HINT, resolve_model_path, weight_options
from ..engines.transformers.settings import TransformersSettings
from ..errors import DeployError, MissingExtraError, TrainingError
from ..quiet_imports import import_tqdm
from .settings import FinetuneSettings, TrainingSettings

INSTALL = 'type: pip install "quackllm[train]"'
QUANTIZATION = {"qlora": "4bit", "qlora8": "8bit"}


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the libraries' errors as ours, which say what to type.

    Raises:
        MissingExtraError: a package is not installed.
        TrainingError: there is no memory, or the libraries refuse a setting.
    """
    try:
        with _hushed():
            yield
    except ImportError as error:
        raise MissingExtraError(f"training needs {error.name or error}", hint=INSTALL) from error
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        hint = (
            "type: --per-device-train-batch-size 1, with more --gradient-accumulation-steps; then "
            "--gradient-checkpointing, a smaller --max-seq-length, or --method qlora"
        )
        raise TrainingError(f"there is not enough memory: {first_line(error)}", hint=hint) from error


@contextmanager
def _hushed() -> Iterator[None]:
    """Silence the libraries' warnings for developers, and trl's usage statistics."""
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", "MatMul8bitLt: inputs will be cast")
        # bitsandbytes looks for a faster kernel on the hub, and works without it.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        import_tqdm()
        import huggingface_hub
        import transformers

        # No usage statistics are sent unless the user enables them, as with Ray.
        was_set = os.environ.get("HF_HUB_DISABLE_TELEMETRY") is not None
        huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY |= not was_set
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        yield


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch had no room, on the GPU or the CPU."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def base_path(name: str) -> str:
    """Return a base's folder as an absolute path, or its Hugging Face id; a `modelscope:` id is fetched first.

    Raises:
        TrainingError: there is no such folder.
    """
    try:
        found = resolve_model_path(name)
    except DeployError as error:
        raise TrainingError(error.message, hint=error.hint) from None
    if "/" not in found:  # More likely a folder that is not here than one of the hub's few names without an owner.
        raise TrainingError(f"there is no model folder {name}", hint=PATH_HINT)
    return found


def load_tokenizer(path: str, trust_remote_code: bool = False) -> Any:
    """Return a tokenizer that has a token for padding.

    Raises:
        TrainingError: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"the tokenizer of {path} cannot be loaded: {first_line(error)}", hint=_look(path)
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def require_positions(base: str, length: int, trust_remote_code: bool = False) -> None:
    """Refuse sequences that a model cannot read, before its weights are loaded.

    Args:
        base: the model, or the folder of its configuration.
        length: of a sequence, in tokens.
        trust_remote_code: run Python code that came with the weights.

    Raises:
        TrainingError: the model reads fewer tokens.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(base, trust_remote_code=trust_remote_code)
    except (OSError, ValueError):
        return  # What cannot be loaded is said where the weights are.
    positions = vars(config.get_text_config()).get("max_position_embeddings")
    if positions and length > positions:
        raise TrainingError(
            f"max_seq_length is {length}, and the model reads {positions} tokens",
            hint=f"type: --max-seq-length {positions}",
        )


def deepspeed_config(path: str | None) -> dict[str, Any] | None:
    """Return DeepSpeed's configuration.

    Raises:
        TrainingError: the file cannot be read.
        MissingExtraError: deepspeed is not installed.
    """
    if path is None:
        return None
    try:
        config: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        hint = "deploy/deepspeed_zero3_offload.json is an example"
        raise TrainingError(f"{path} cannot be read: {error}", hint=hint) from error
    if find_spec("deepspeed") is None:
        raise MissingExtraError("--deepspeed needs deepspeed", hint='type: pip install "quackllm[deepspeed]"')
    return config


def end_tokens(path: str) -> list[int]:
    """Return the tokens at which the base's own settings end an answer; none where it has no such settings."""
    from transformers import GenerationConfig

    try:
        ends = GenerationConfig.from_pretrained(path).eos_token_id
    except OSError:
        return []
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def load_base(path: str, settings: TrainingSettings) -> Any:
    """Return the base's weights as this run trains them.

    Raises:
        TrainingError: they cannot be loaded.
    """
    from transformers import AutoModelForCausalLM

    quantization = QUANTIZATION.get(settings.method) if isinstance(settings, FinetuneSettings) else None
    how = TransformersSettings(model_path=path, dtype=dtype_for(settings), quantization=quantization)
    options = weight_options(how, device())
    if settings.deepspeed and quantization == "4bit":
        # ZeRO-3 shards weights of one type only: the 4-bit ones travel as the others do.
        options["quantization_config"].bnb_4bit_quant_storage = options["dtype"]
    try:
        return AutoModelForCausalLM.from_pretrained(path, **options, trust_remote_code=settings.trust_remote_code)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be loaded: {first_line(error)}", hint=_look(path)) from error


def new_model(config: str, tokenizer: Any, seed: int) -> Any:
    """Return a model of new weights, whose vocabulary is the tokenizer's.

    Args:
        config: path of a config.json.
        tokenizer: Hugging Face's.
        seed: of the random weights.

    Raises:
        TrainingError: the config cannot be read.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    try:
        shape = AutoConfig.from_pretrained(config)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{config} is not a config.json: {first_line(error)}", hint="it names a model_type"
        ) from error
    shape.vocab_size = len(tokenizer)
    shape.bos_token_id, shape.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    shape.pad_token_id = tokenizer.pad_token_id
    set_seed(seed)
    return AutoModelForCausalLM.from_config(shape, dtype=torch.float32)


def dtype_for(settings: TrainingSettings) -> Any:
    """Return the type of the weights: those that are trained themselves are held whole."""
    adapted = isinstance(settings, FinetuneSettings) and settings.method != "full"
    return "float32" if settings.dtype == "auto" and not adapted else settings.dtype


def device() -> str:
    """Return what trains here: 'cuda' or 'cpu'."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _look(path: str) -> str:
    return f"type: ls {path}   it should hold config.json, tokenizer.json and the weights"


def first_line(error: Exception) -> str:
    """Return the first line of a library's error message."""
    return str(error).strip().partition("\n")[0]
