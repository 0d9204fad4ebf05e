"""A merged model as files that others read: safetensors, or a GGUF for llama.cpp, Ollama and LM Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..atomic_files import atomic_write, remove
from ..engines.llama_cpp.server_process import EXTRA
from ..errors import ExportError, MissingExtraError, did_you_mean
from .run_folder import require_finished

if TYPE_CHECKING:
    import numpy
    import torch
    from gguf import GGMLQuantizationType, GGUFWriter

    from .gguf.weights import Weight

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Progress = Callable[[int, int], None]  # Takes the bytes of weights written so far, and of all weights.
GGUF_NEEDS = {"gguf": EXTRA, "xllamacpp": EXTRA, "torch": 'pip install "quackllm[local]"'}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Args:
        path: the GGUF, or the folder of safetensors.
        type: of the weights: one of llama.cpp's, or a dtype.
        bytes: what it takes on disk.
        fallbacks: weights that got another type than the mix wants, because their rows do not fit its blocks, each
            with the type wanted and the one it got.
        modelfile: Ollama's Modelfile, if one was written.
        template_left_out: why the Modelfile has no chat template, where it has none.
    """

    path: Path
    type: str
    bytes: int
    fallbacks: dict[str, tuple[str, str]] = field(default_factory=dict)
    modelfile: Path | None = None
    template_left_out: str | None = None


def export(
    model: str,
    target: str,
    *,
    type: str | None = None,
    max_shard_size: str = "5GB",
    ollama: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
    warn: Callable[[str], None] = lambda message: None,
) -> Exported:
    """Write a model for other programs; nothing half-written is left under the target's name.

    Args:
        model: a merged model's folder, or a finished run's.
        target: a name that ends in .gguf, or a folder for safetensors.
        type: of the weights; for a GGUF one of llama.cpp's (left out: Q4_K_M), for safetensors a dtype (left out:
            as they are).
        max_shard_size: safetensors: the most of one file.
        ollama: GGUF: write a Modelfile beside it.
        overwrite: replace what is there.
        progress: called with the bytes of weights written so far and in all.
        warn: called, before anything is quantized, with the weights that fall back to another type.

    Raises:
        ExportError: the model is not one that can be written so, or something exists already.
        MissingExtraError: a package is not installed.
    """
    folder, path = require_finished(model), Path(target)
    if path.exists() and not overwrite:
        raise ExportError(f"{path} exists already", hint="type: --overwrite   or another name")
    if path.suffix == ".gguf":
        return _export_gguf(folder, path, type or "Q4_K_M", ollama, progress, warn)
    if ollama:
        raise ExportError("Ollama reads a GGUF", hint=f"type: quackllm export {model} {target}.gguf --ollama")
    return _export_safetensors(folder, path, type or "auto", max_shard_size)


def _export_safetensors(folder: Path, path: Path, dtype: str, max_shard_size: str) -> Exported:
    if dtype not in get_args(Dtype):
        hint = f"{did_you_mean(dtype, get_args(Dtype))}\nfor {dtype} the target's name ends in .gguf"
        raise ExportError(f"safetensors have no type {dtype!r}", hint=hint)
    _check_installed({"torch": GGUF_NEEDS["torch"]})
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ExportError(f"{folder} cannot be loaded: {error}", hint="give the folder of a merged model") from error
    with _written(path) as draft:
        loaded.save_pretrained(draft, max_shard_size=max_shard_size)
        tokenizer.save_pretrained(draft)
    size = sum(file.stat().st_size for file in path.iterdir())
    return Exported(path, str(loaded.dtype).removeprefix("torch."), size)


def _export_gguf(
    folder: Path, path: Path, type: str, ollama: bool, progress: Progress, warn: Callable[[str], None]
) -> Exported:
    _check_installed(GGUF_NEEDS)
    from gguf import MODEL_ARCH_NAMES, GGUFWriter
    from transformers import GenerationConfig

    from .gguf.quantization import file_type, read_type, tensor_type
    from .gguf.tokenizer import read_vocabulary
    from .gguf.weights import architecture, quantization_shape, read_config, read_weights, rope_factors, write_fields

    mix, config = read_type(type), read_config(folder)
    weights = read_weights(folder, config)
    tensor_types = [tensor_type(weight.name, weight.shape, mix, quantization_shape(config)) for weight in weights]
    fallbacks = {
        weight.name: (preferred.name, weight_type.name)
        for weight, (weight_type, preferred) in zip(weights, tensor_types, strict=True)
        if weight_type is not preferred
    }
    if fallbacks:
        warn(fallback_message(mix, fallbacks, len(weights)))
    ends = _ends(config, GenerationConfig, folder)
    vocabulary = read_vocabulary(folder, config.vocab_size, ends)
    name = MODEL_ARCH_NAMES[architecture(config)]
    with _written(path) as draft, closing(GGUFWriter(draft, name)) as writer:
        write_fields(writer, config, folder.resolve().name)
        writer.add_file_type(file_type(mix))
        vocabulary.write(writer)
        _write_weights(
            writer, weights, [weight_type for weight_type, _ in tensor_types], rope_factors(config), progress
        )
    modelfile, reason = None, None
    if ollama:
        from .gguf.modelfile import write_modelfile

        modelfile, reason = write_modelfile(path, folder)
    return Exported(path, mix, path.stat().st_size, fallbacks, modelfile, reason)


def fallback_message(mix: str, fallbacks: dict[str, tuple[str, str]], count: int) -> str:
    """Return which weights do not get the type that a mix has for them.

    Args:
        mix: the GGUF type, e.g. `Q4_K_M`.
        fallbacks: preferred and actual type, by the weight's name.
        count: weights of the model.
    """
    changes: dict[tuple[str, str], list[str]] = {}
    for name, change in fallbacks.items():
        changes.setdefault(change, []).append(name)
    lines = [
        f"{preferred} becomes {weight_type} in {len(names)}: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
        for (preferred, weight_type), names in changes.items()
    ]
    head = f"{mix} packs 256 weights of a row together, and {len(fallbacks)} of {count} weights have other rows:"
    return "\n".join([head, *lines])


def _ends(config: Any, generation: Any, folder: Path) -> list[int]:
    """Return the tokens that end an answer, as the transformers engine takes them."""
    ends = config.eos_token_id
    if (folder / "generation_config.json").is_file():
        own = generation.from_pretrained(folder, local_files_only=True).eos_token_id
        ends = ends if own is None else own
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def _write_weights(
    writer: GGUFWriter,
    weights: list[Weight],
    tensor_types: list[GGMLQuantizationType],
    factors: list[float] | None,
    progress: Progress,
) -> None:
    import numpy as np

    from .gguf.quantization import size_in_bytes

    if factors:
        numbers = np.array(factors, np.float32)
        writer.add_tensor_info("rope_freqs.weight", numbers.shape, numbers.dtype, numbers.nbytes)
    sizes = [
        size_in_bytes(weight.shape, weight_type) for weight, weight_type in zip(weights, tensor_types, strict=True)
    ]
    for weight, weight_type, size in zip(weights, tensor_types, sizes, strict=True):
        writer.add_tensor_info(weight.name, weight.shape, np.dtype(np.float32), size, raw_dtype=weight_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if factors:
        writer.write_tensor_data(numbers)
    for number, (weight, weight_type) in enumerate(zip(weights, tensor_types, strict=True)):
        progress(sum(sizes[:number]), sum(sizes))
        writer.write_tensor_data(_quantize_tensor(weight.name, weight.read(), weight_type))
    progress(sum(sizes), sum(sizes))


def _quantize_tensor(name: str, weight: torch.Tensor, weight_type: GGMLQuantizationType) -> numpy.ndarray[Any, Any]:
    """Return a weight in one of llama.cpp's types.

    Raises:
        ExportError: float16 cannot hold its values.
    """
    import torch
    from gguf import GGMLQuantizationType as GGMLType

    from .gguf.quantization import quantize

    if weight_type is GGMLType.BF16:
        numbers: numpy.ndarray[Any, Any] = weight.bfloat16().contiguous().view(torch.uint16).numpy()
        return numbers
    plain = weight.float().contiguous()
    if weight_type is GGMLType.F32:
        numbers = plain.numpy()
    elif weight_type is GGMLType.F16:
        if plain.abs().max() > torch.finfo(torch.float16).max:
            raise ExportError(f"{name} has values that float16 cannot hold", hint="type: --type BF16")
        numbers = plain.half().numpy()
    else:
        numbers = quantize(plain.numpy(), weight_type)
    return numbers


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Give a draft's name to write to; it takes the place of the target when all is written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            yield draft
            if path.is_dir():
                remove(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error}", hint="is there room on the disk?") from error


def _check_installed(packages: dict[str, str]) -> None:
    """Name the first package that is not installed.

    Raises:
        MissingExtraError: one is not.
    """
    for name, hint in packages.items():
        if find_spec(name) is None:
            raise MissingExtraError(f"this export needs {name}", hint=hint)
