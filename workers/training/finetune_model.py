"""Fine-tuning on conversations: LoRA, QLoRA or all weights; the loss counts the assistant's messages.

quackllm finetune --model-name /models/Qwen2.5-Coder-7B --train-file train.jsonl --output-dir runs/sql
"""

from __future__ import annotations

from typing import Any

from .base_models import base_path, deepspeed_config, end_tokens, load_tokenizer, require_positions, translated_errors
from .data.chat_encoding import ChatEncoder, encode_examples, require_examples
from .data.chat_examples import TrainingExamples, read_examples
from .data.data_files import BadRow
from .data.dataset import fingerprint, make_dataset, pack
from .run.job import TrainingJob
from .run.run_training import train
from .run_folder import DataReport, Trained, run_folder, start_or_resume
from .settings import FinetuneSettings


def finetune(
    settings: FinetuneSettings, examples: TrainingExamples | None = None, eval_examples: TrainingExamples | None = None
) -> Trained:
    """Fine-tune a base on questions and answers.

    A run that was killed resumes at its last complete checkpoint when it is started again with the same settings.

    Args:
        settings: what to train, on what, and how.
        examples: the conversations; None: those of `train_file` or `query`.
        eval_examples: those whose loss is measured beside; None: those of `eval_file`.

    Returns:
        The finished adapter (LoRA, QLoRA) or model (full) in `output_dir/final`, with its losses.

    Raises:
        TrainingError: no row can be learnt from, output_dir holds another run, or there is no memory.
        MissingExtraError: a package of the extra `train` is not installed.
    """
    with translated_errors(), run_folder(settings.output_dir) as folder:
        base, deepspeed = base_path(settings.model_name), deepspeed_config(settings.deepspeed)
        require_positions(base, settings.max_seq_length, settings.trust_remote_code)
        tokenizer = load_tokenizer(base, settings.trust_remote_code)
        encoder = ChatEncoder(tokenizer, settings.chat_template_kwargs, end_tokens(base))
        if examples is None:
            examples = read_examples(settings.train_file, query=settings.query, database=settings.database)
        encoded = encode_examples(encoder, examples, settings.max_seq_length)
        require_examples(encoded, settings.train_file or "the query", settings.max_seq_length)
        dataset = make_dataset(encoded.sequences)
        evaluation, eval_bad = _evaluation(encoder, settings, eval_examples)
        data = DataReport(
            examples=len(encoded.sequences),
            tokens=sum(len(sequence.ids) for sequence in encoded.sequences),
            trained_tokens=sum(sum(sequence.mask) for sequence in encoded.sequences),
            fingerprint=fingerprint(dataset, evaluation),
            bad=encoded.bad,
            too_long=encoded.too_long,
            eval_examples=len(evaluation or ()),
            eval_bad=eval_bad,
        )
        start_or_resume(folder, "finetune", settings.model_dump(), data.fingerprint)
        if settings.packing:
            dataset = pack(dataset, settings.max_seq_length)
        return train(TrainingJob(settings, str(folder.resolve()), base, base, dataset, evaluation, data, deepspeed))


def _evaluation(
    encoder: ChatEncoder, settings: FinetuneSettings, examples: TrainingExamples | None
) -> tuple[Any, list[BadRow]]:
    """Return the dataset that is measured beside, None where there is none, and the rows that it leaves out."""
    if not settings.eval_file:
        return None, []
    encoded = encode_examples(encoder, examples or read_examples(settings.eval_file), settings.max_seq_length)
    require_examples(encoded, settings.eval_file, settings.max_seq_length)
    long = [BadRow(line, f"more than {settings.max_seq_length} tokens") for line in encoded.too_long]
    return make_dataset(encoded.sequences), encoded.bad + long
