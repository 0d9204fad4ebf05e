"""Continued pre-training on raw text, packed into full windows; or a small model of one's own from fresh weights.

quackllm pretrain --model-name /models/Qwen2.5-Coder-7B --train-file text.jsonl --output-dir runs/text
quackllm pretrain --config config.json --vocab-size 8000 --train-file text.txt --output-dir runs/own
"""

from __future__ import annotations

from pathlib import Path

from .base_models import base_path, deepspeed_config, load_tokenizer, require_positions, translated_errors
from .data.dataset import dataset_of_windows, fingerprint
from .data.text_windows import Texts, make_windows, read_texts
from .run.job import TrainingJob
from .run.run_training import train
from .run_folder import DataReport, Trained, run_folder, start_or_resume
from .settings import PretrainSettings
from .train_tokenizer import train_tokenizer


def pretrain(settings: PretrainSettings) -> Trained:
    """Train all weights of a base, or of a fresh model, on text.

    A run that was killed resumes at its last complete checkpoint when it is started again with the same settings.

    Returns:
        The finished model in `output_dir/final`, with its losses.

    Raises:
        TrainingError: there is no text, output_dir holds another run, or there is no memory.
        MissingExtraError: a package of the extra `train` is not installed.
    """
    with translated_errors(), run_folder(settings.output_dir) as folder:
        deepspeed = deepspeed_config(settings.deepspeed)
        base = str(Path(settings.config).resolve()) if settings.config else base_path(settings.model_name or "")
        require_positions(base, settings.max_seq_length, settings.trust_remote_code)
        texts = read_texts(settings.train_file, settings.query, settings.database)
        tokenizer_path = _tokenizer(settings, folder, texts.documents) if settings.config else base
        tokenizer = load_tokenizer(tokenizer_path, settings.trust_remote_code)
        length = settings.max_seq_length
        windows = make_windows(tokenizer, texts.documents, length, settings.train_file or "the query")
        dataset, evaluation, measured = dataset_of_windows(windows), None, Texts([], [])
        if settings.eval_file:
            measured = read_texts(settings.eval_file)
            evaluation = dataset_of_windows(make_windows(tokenizer, measured.documents, length, settings.eval_file))
        data = DataReport(
            examples=len(dataset),
            tokens=windows.size,
            trained_tokens=windows.size,
            fingerprint=fingerprint(dataset, evaluation),
            bad=texts.bad,
            eval_examples=len(evaluation or ()),
            eval_bad=measured.bad,
        )
        start_or_resume(folder, "pretrain", settings.model_dump(), data.fingerprint)
        return train(
            TrainingJob(settings, str(folder.resolve()), base, tokenizer_path, dataset, evaluation, data, deepspeed)
        )


def _tokenizer(settings: PretrainSettings, folder: Path, documents: list[str]) -> str:
    """Return the tokenizer of a fresh model: the named one, or one trained on the text and saved with the run."""
    if settings.tokenizer:
        return base_path(settings.tokenizer)
    kept = folder / "tokenizer"
    if not kept.is_dir() or settings.resume == "never":
        train_tokenizer(documents, settings.vocab_size, settings.max_seq_length, kept)
    return str(kept.resolve())
