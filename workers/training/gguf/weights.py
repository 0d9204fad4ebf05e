"""A Hugging Face folder as llama.cpp wants it: which fields and weights its GGUF holds, and under which names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf

from ...errors import ExportError
from .quantization import ModelShape

if TYPE_CHECKING:
    import torch

ARCHITECTURES = {
    "LlamaForCausalLM": gguf.MODEL_ARCH.LLAMA,
    "MistralForCausalLM": gguf.MODEL_ARCH.LLAMA,
    "Qwen2ForCausalLM": gguf.MODEL_ARCH.QWEN2,
    "Qwen3ForCausalLM": gguf.MODEL_ARCH.QWEN3,
}
ROPES = ("default", "linear", "yarn", "llama3")
LLAMA_CPP_HINT = (
    "llama.cpp's own converter knows more: python convert_hf_to_gguf.py FOLDER --outfile MODEL.gguf --outtype f16, "
    "then llama-quantize MODEL.gguf MODEL.Q4_K_M.gguf Q4_K_M"
)


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight: its name in the GGUF, and where it is."""

    name: str
    source: str
    file: Path
    shape: tuple[int, ...]
    # Attention heads by which the rows are reordered, for llama.cpp's rotary embedding; None: not reordered.
    heads: int | None = None

    def read(self) -> torch.Tensor:
        """Return the weight as it is stored, rows in llama.cpp's order."""
        from safetensors import safe_open

        with safe_open(self.file, framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(self.source)
        if self.heads is None:
            return tensor
        # Hugging Face rotates the halves of a head against each other, llama.cpp's Llama its neighbours.
        halves = tensor.reshape(self.heads, 2, -1, *tensor.shape[1:])
        return halves.swapaxes(1, 2).reshape(tensor.shape)


def read_config(folder: Path) -> Any:
    """Return the model's configuration.

    Raises:
        ExportError: there is no model, or this converter does not support it.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ExportError(f"{folder} contains no model: {error}", hint="give the folder of a merged model") from error
    check_config(config, folder)
    return config


def check_config(config: Any, folder: Path) -> None:
    """Refuse what would not be the same model in llama.cpp.

    Raises:
        ExportError: the architecture is unknown, or has something that is not converted.
    """
    name = (config.architectures or ["unknown"])[0]
    rope = config.to_dict().get("rope_parameters") or {}
    unsupported = {
        f"its architecture, {name}, is none of {', '.join(ARCHITECTURES)}": name not in ARCHITECTURES,
        f"its rotary embedding is {rope.get('rope_type')!r}": rope.get("rope_type", "default") not in ROPES,
        "it is a mixture of experts": bool(config.to_dict().get("num_local_experts")),
        "it looks at a sliding window": bool(config.to_dict().get("use_sliding_window")),
        f"its activation is {config.to_dict().get('hidden_act')!r}": config.to_dict().get("hidden_act") != "silu",
    }
    problems = [message for message, there in unsupported.items() if there]
    if config.to_dict().get("quantization_config"):
        raise ExportError(f"the weights in {folder} are quantized already", hint="export the merged model in 16 bits")
    if problems:
        raise ExportError(f"{folder} cannot be converted here: {'; '.join(problems)}", hint=LLAMA_CPP_HINT)


def architecture(config: Any) -> gguf.MODEL_ARCH:
    """Return llama.cpp's architecture for a configuration that was checked."""
    return ARCHITECTURES[config.architectures[0]]


def head_size(config: Any) -> int:
    """Return the width of one attention head."""
    return int(config.to_dict().get("head_dim") or config.hidden_size // config.num_attention_heads)


def quantization_shape(config: Any) -> ModelShape:
    """Return the properties of a model that the mixes depend on."""
    heads = config.num_attention_heads, config.num_key_value_heads
    return ModelShape(config.num_hidden_layers, *heads, tied=bool(config.tie_word_embeddings))


def write_fields(writer: gguf.GGUFWriter, config: Any, name: str) -> None:
    """Write the fields that describe the model to llama.cpp.

    Args:
        writer: of the file.
        config: Hugging Face's.
        name: of the model.
    """
    writer.add_name(name)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_size(config))
    writer.add_value_length(head_size(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(head_size(config))
    _write_rope(writer, config.rope_parameters)


def _write_rope(writer: gguf.GGUFWriter, rope: dict[str, Any]) -> None:
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif rope["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])


def rope_factors(config: Any) -> list[float] | None:
    """Return by what each frequency is divided in Llama 3's scaling; None for any other.

    Source: Llama 3.1's `apply_scaling`, as transformers has it (`_compute_llama3_parameters`).
    """
    rope = config.rope_parameters
    if rope["rope_type"] != "llama3":
        return None
    size, length = head_size(config), rope["original_max_position_embeddings"]
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    factors = []
    for index in range(0, size, 2):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (index / size)
        smooth = min(max((length / wavelength - low) / (high - low), 0.0), 1.0)
        factors.append(1 / ((1 - smooth) / factor + smooth))
    return factors


def read_weights(folder: Path, config: Any) -> list[Weight]:
    """Return the weights of a folder, in its order.

    Raises:
        ExportError: there are none as safetensors, one is not known, or one is missing.
    """
    names = gguf.get_tensor_name_map(architecture(config), config.num_hidden_layers)
    weights = []
    for file, source, shape in _stored(folder):
        if source.endswith("rotary_emb.inv_freq") or (source == "lm_head.weight" and config.tie_word_embeddings):
            continue
        name = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise ExportError(f"llama.cpp's {config.architectures[0]} has no weight {source}", hint=LLAMA_CPP_HINT)
        weights.append(Weight(name, source, file, shape, _heads(source, config)))
    _check_complete({weight.name for weight in weights}, config, folder)
    return weights


def _heads(source: str, config: Any) -> int | None:
    if architecture(config) is not gguf.MODEL_ARCH.LLAMA:
        return None
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    return heads.get(source.split(".")[-2])


def _stored(folder: Path) -> Iterator[tuple[Path, str, tuple[int, ...]]]:
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files or (folder / "adapter_config.json").is_file():
        hint = (
            "an adapter is merged first: quackllm merge; other weights are re-saved: quackllm export FOLDER NEW_FOLDER"
        )
        raise ExportError(f"{folder} has no weights of a whole model in safetensors", hint=hint)
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                for source in file.keys():  # noqa: SIM118 (it is no dictionary)
                    yield path, source, tuple(file.get_slice(source).get_shape())
        except (SafetensorError, OSError) as error:
            raise ExportError(f"{path} cannot be read: {error}", hint="was it written completely?") from error


def _check_complete(found: set[str], config: Any, folder: Path) -> None:
    """Find a model whose weights were not all saved before llama.cpp does."""
    layer = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
    needed = {f"blk.{number}.{part}.weight" for number in range(config.num_hidden_layers) for part in layer}
    needed |= {"token_embd.weight", "output_norm.weight"}
    needed |= set() if config.tie_word_embeddings else {"output.weight"}
    missing = sorted(needed - found)
    if missing:
        message = f"{folder} lacks {len(missing)} of its weights, e.g. {missing[0]}"
        raise ExportError(message, hint="is it complete? Its index lists the files that it should have")
