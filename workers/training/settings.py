"""The settings of a training run: one model of fields a stage, read from a YAML file, from flags, or made in Python.

The names are those of the field: of transformers' TrainingArguments, peft's LoraConfig and XiYanSQL's script.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from ..errors import RequestError, did_you_mean

Method = Literal["lora", "qlora", "qlora8", "full"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Schedule = Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"]
Tracker = Literal["none", "tensorboard", "swanlab", "swanlab-local"]
Settings = TypeVar("Settings", bound="StageSettings")


def _names(value: object) -> object:
    """Read `a,b` as the two names that it lists."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _mapping(value: object) -> object:
    """Read a text as the YAML it is."""
    import yaml

    return yaml.safe_load(value) if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_names)]
Keywords = Annotated[dict[str, Any], BeforeValidator(_mapping)]


def setting(panel: str, default: Any, description: str, **limits: Any) -> Any:
    """Return a field that the command line shows in a panel of its help; `...` is no default.

    Args:
        panel: its title.
        default: its value where none is given.
        description: for `--help` and the documentation.
        limits: pydantic's, e.g. `ge=1`.
    """
    return Field(default, description=description, json_schema_extra={"panel": panel}, **limits)


PANELS = MODEL, DATA, TRAINING, LORA, RUN, MACHINES = "Model", "Data", "Training", "LoRA", "The run", "Machines"


class StageSettings(BaseModel):
    """What every stage has in common: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class TrainingSettings(StageSettings):
    """What `finetune` and `pretrain` have in common."""

    output_dir: str = setting(RUN, "./output", "folder of the run: checkpoints, and `final/` at its end")
    query: str | None = setting(DATA, None, "a DuckDB SELECT whose rows are the data, instead of train_file")
    database: str | None = setting(DATA, None, "the DuckDB file that the query reads; left out: none")
    eval_file: str | None = setting(DATA, None, "data for measuring the loss, never trained on")
    max_seq_length: int = setting(DATA, 1024, "maximum number of tokens of prompt and answer together", ge=8)

    trust_remote_code: bool = setting(MODEL, False, "run Python code that came with the weights")
    dtype: Dtype = setting(
        MODEL, "auto", "the type of the base's weights; auto: 16 bits under LoRA on a GPU, float32 otherwise"
    )

    per_device_train_batch_size: int = setting(TRAINING, 4, "examples per pass on one device", ge=1)
    per_device_eval_batch_size: int = setting(TRAINING, 4, "examples per pass on one device during evaluation", ge=1)
    gradient_accumulation_steps: int = setting(
        TRAINING, 4, "passes before one step: a step sees devices x batch x this many examples", ge=1
    )
    num_train_epochs: float = setting(TRAINING, 3, "number of passes over the data", gt=0)
    max_steps: int | None = setting(TRAINING, None, "maximum number of steps, whatever the epochs", ge=1)
    learning_rate: float = setting(TRAINING, 2e-4, "the highest learning rate", gt=0)
    lr_scheduler_type: Schedule = setting(TRAINING, "cosine", "how the learning rate falls")
    warmup_ratio: float = setting(
        TRAINING, 0.03, "share of the steps in which the learning rate rises first", ge=0, lt=1
    )
    weight_decay: float = setting(TRAINING, 0.0, "AdamW's weight decay", ge=0)
    max_grad_norm: float = setting(TRAINING, 1.0, "maximum norm of the gradients; longer ones are clipped", gt=0)
    train_sampling_strategy: Literal["random", "group_by_length", "sequential"] = setting(
        TRAINING, "random", "order of the examples; group_by_length: less padding in a batch"
    )
    bf16: bool | None = setting(TRAINING, None, "compute in bfloat16; left out: if the GPU supports it")
    gradient_checkpointing: bool = setting(TRAINING, False, "less memory, a third more time")
    seed: int = setting(TRAINING, 42, "order of the data, dropout, new weights", ge=0)

    logging_steps: int = setting(RUN, 10, "number of steps between two losses in the log", ge=1)
    save_steps: int = setting(RUN, 500, "steps between two checkpoints", ge=1)
    save_total_limit: int = setting(RUN, 2, "number of checkpoints to keep", ge=2)
    eval_steps: int | None = setting(RUN, None, "steps between measurements of eval_file; left out: save_steps", ge=1)
    resume: Literal["auto", "never"] = setting(
        RUN, "auto", "auto: resume at the last complete checkpoint of the same run; never: start from the beginning"
    )
    report_to: Tracker = setting(RUN, "none", "the service that plots the losses during training")
    run_name: str | None = setting(RUN, None, "the run's name in that service")

    num_workers: int = setting(MACHINES, 1, "number of training processes, each with a GPU if there are GPUs", ge=1)
    ray_address: str | None = setting(MACHINES, None, "Ray's address, or 'auto' for this machine's")
    max_failures: int = setting(MACHINES, 3, "how often failed workers are restarted", ge=0)
    deepspeed: str | None = setting(MACHINES, None, "a DeepSpeed configuration (JSON), e.g. ZeRO-3 with offload")


class FinetuneSettings(TrainingSettings):
    """The settings of `finetune`."""

    model_name: str = setting(MODEL, ..., "the base: a folder, a Hugging Face id, or `modelscope:` and an id")
    train_file: str | None = setting(DATA, None, "questions and answers: .jsonl, .json, .parquet, also .gz")
    method: Method = setting(
        TRAINING,
        "lora",
        "lora: small matrices beside the weights; qlora, qlora8: the same on a base in 4 or 8 bits; full: all weights",
    )
    packing: bool = setting(DATA, False, "several examples in one sequence, which cannot attend to each other")
    chat_template_kwargs: Keywords = setting(
        DATA, {}, "passed to the chat template, as at inference, e.g. {'enable_thinking': false}"
    )
    lora_rank: int = setting(LORA, 16, "rank of the LoRA matrices", ge=1)
    lora_alpha: int = setting(LORA, 32, "scaling of the LoRA matrices: alpha / rank", ge=1)
    lora_dropout: float = setting(LORA, 0.05, "dropout before the LoRA matrices", ge=0, lt=1)
    target_modules: Names = setting(LORA, ["all-linear"], "the layers that get LoRA matrices, e.g. q_proj,v_proj")
    modules_to_save: Names = setting(LORA, [], "layers that are trained and saved in full, e.g. embed_tokens,lm_head")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        _check_one_source(self)
        return self


class PretrainSettings(TrainingSettings):
    """The settings of `pretrain`."""

    model_name: str | None = setting(
        MODEL, None, "the base to continue training: a folder, a Hugging Face id, or `modelscope:` and an id"
    )
    config: str | None = setting(
        MODEL, None, "instead of a base: a config.json, whose model starts from random weights"
    )
    vocab_size: int = setting(MODEL, 8000, "with config: size of the tokenizer trained on the text", ge=300)
    tokenizer: str | None = setting(MODEL, None, "with config: an existing tokenizer's folder or id instead")
    train_file: str | None = setting(DATA, None, "text: .txt, .jsonl or .parquet with a column `text`, also .gz")

    @model_validator(mode="after")
    def _one_source_and_one_model(self) -> Self:
        _check_one_source(self)
        if (self.model_name is None) == (self.config is None):
            raise ValueError("either model_name (a base to go on with) or config (fresh weights) is needed")
        return self


class MergeSettings(StageSettings):
    """The settings of `merge`."""

    adapter: str = setting(MODEL, ..., "the run's folder, its `final` folder, or any peft adapter")
    output_dir: str = setting(RUN, ..., "folder of the merged model; it may not exist yet")
    model_name: str | None = setting(MODEL, None, "the base; left out: the one the adapter was trained on")
    dtype: Dtype = setting(MODEL, "auto", "type of the merged weights; auto: the base's")
    trust_remote_code: bool = setting(MODEL, False, "run Python code that came with the weights")


def _check_one_source(settings: FinetuneSettings | PretrainSettings) -> None:
    if (settings.train_file is None) == (settings.query is None):
        raise ValueError("either train_file or query is needed")


def help_panel(field: FieldInfo) -> str:
    """Return the panel of the help that shows a field."""
    extra = field.json_schema_extra
    return str(extra["panel"]) if isinstance(extra, dict) else RUN


def default_text(field: FieldInfo) -> str:
    """Return what holds where a field is left out, as it is typed; '' where that is nothing, or it is required."""
    if field.is_required() or field.default in (None, [], {}, False):
        return ""
    return ",".join(field.default) if isinstance(field.default, list) else str(field.default)


def read_settings(settings_class: type[Settings], file: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Return a stage's settings out of a YAML file and flags; a flag wins.

    Args:
        settings_class: the stage's class of settings.
        file: YAML; None: flags alone.
        flags: by name, as the command line gives them.

    Raises:
        RequestError: an unknown key, a value that cannot be, or a file that cannot be read.
    """
    fields = {**(_yaml(file) if file else {}), **flags}
    try:
        return settings_class(**fields)
    except ValidationError as error:
        message, hint = _explained(settings_class, error)
        raise RequestError(message, hint=hint) from error


def _yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        fields = yaml.safe_load(file.read_text("utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise RequestError(f"{file} cannot be read: {error}", hint="write lines like   learning_rate: 2e-4") from error
    if not isinstance(fields, dict):
        raise RequestError(f"{file} contains no settings", hint="write lines like   learning_rate: 2e-4")
    return fields


def _explained(settings_class: type[StageSettings], error: ValidationError) -> tuple[str, str]:
    """Return the fault of each field, with similar names for unknown ones."""
    problems, hints = [], []
    for problem in error.errors():
        name = ".".join(map(str, problem["loc"][:1]))
        if problem["type"] == "extra_forbidden":
            problems.append(f"there is no option {name!r}")
            hints.append(f"{name}: {did_you_mean(name, settings_class.model_fields)}")
        elif problem["type"] == "missing":
            problems.append(f"{name} is missing: {settings_class.model_fields[name].description}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{name}: {message}, not {problem['input']!r}" if name else message)
    return "; ".join(problems), "\n".join(hints)
