"""Sets up trl's SFTTrainer for a job: precision by the device, LoRA by the method, trackers by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from ...errors import TrainingError
from ..base_models import QUANTIZATION, device, load_base, load_tokenizer, new_model
from ..run_folder import COMPLETE, last_checkpoint
from ..settings import FinetuneSettings, PretrainSettings, TrainingSettings
from .callbacks import ProgressCallback
from .job import TrainingJob
from .progress import ShowProgress
from .trackers import make_trackers


def make_trainer(job: TrainingJob, show: ShowProgress) -> tuple[Any, ProgressCallback]:
    """Return the trainer of a job, and what watches it.

    Raises:
        TrainingError: the base cannot be loaded, or LoRA finds no layer to adapt.
        MissingExtraError: a tracker is not installed.
    """
    settings = job.settings
    arguments = sft_arguments(job)
    tokenizer = load_tokenizer(job.tokenizer, settings.trust_remote_code)
    fresh = isinstance(settings, PretrainSettings) and settings.config
    model = new_model(job.base, tokenizer, settings.seed) if fresh else load_base(job.base, settings)
    try:
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=job.train,
            eval_dataset=job.evaluation,
            processing_class=tokenizer,
            peft_config=lora_config(settings),
        )
    except ValueError as error:
        raise TrainingError(f"the trainer refuses these settings: {error}", hint=_advice(error)) from error
    watch = ProgressCallback(show, trainer.accelerator.wait_for_everyone, _seconds_before(job))
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watch)
    for tracker in make_trackers(job) if trainer.is_world_process_zero() else ():
        trainer.add_callback(tracker)
    return trainer, watch


def sft_arguments(job: TrainingJob) -> Any:
    """Return the settings as trl's configuration."""
    settings, on = job.settings, device()
    shared = settings.model_dump(
        include={
            *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "seed"),
            *("num_train_epochs", "learning_rate", "lr_scheduler_type", "weight_decay", "max_grad_norm"),
            *("logging_steps", "save_steps", "save_total_limit", "train_sampling_strategy"),
        }
    )
    return SFTConfig(
        **shared,
        **precision(settings, on),
        output_dir=job.folder,
        max_steps=settings.max_steps or -1,
        warmup_steps=settings.warmup_ratio,
        eval_strategy="steps" if job.evaluation is not None else "no",
        eval_steps=settings.eval_steps or settings.save_steps,
        logging_first_step=True,
        report_to=[],
        activation_checkpointing=settings.gradient_checkpointing,
        deepspeed=job.deepspeed,
        use_cpu=on == "cpu",
        ddp_backend="gloo" if on == "cpu" and torch.distributed.is_initialized() else None,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=on != "cpu",
        disable_tqdm=True,
        max_length=None,
        packing=isinstance(settings, FinetuneSettings) and settings.packing,
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def precision(settings: TrainingSettings, on: str) -> dict[str, bool]:
    """Return the precision to compute in: bfloat16 where the GPU has it, else float16 with scaled gradients.

    trl holds the adapter of a quantized base in bfloat16, whose gradients cannot be scaled.
    """
    can = on == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    bf16 = can if settings.bf16 is None else settings.bf16
    quantized = isinstance(settings, FinetuneSettings) and settings.method in QUANTIZATION
    return {"bf16": bf16, "fp16": on == "cuda" and not bf16 and settings.dtype != "float32" and not quantized}


def lora_config(settings: TrainingSettings) -> Any:
    """Return peft's configuration; None where all weights are trained."""
    from peft import LoraConfig

    if not isinstance(settings, FinetuneSettings) or settings.method == "full":
        return None
    layers = settings.target_modules
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=layers[0] if layers == ["all-linear"] else layers,
        modules_to_save=settings.modules_to_save or None,
    )


def _seconds_before(job: TrainingJob) -> float:
    checkpoint = last_checkpoint(Path(job.folder))
    return float(json.loads((checkpoint / COMPLETE).read_text("utf-8"))["seconds"]) if checkpoint else 0.0


def _advice(error: ValueError) -> str:
    if "DataParallel" in str(error):
        return "one process trains on one GPU. Type: --num-workers 2   or  CUDA_VISIBLE_DEVICES=0 quackllm finetune …"
    return "type: quackllm finetune --help"
