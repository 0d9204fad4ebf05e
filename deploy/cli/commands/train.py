"""`quackllm finetune`, `pretrain` and `merge`: their flags are the fields of the stages' settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional, get_origin

import typer
from pydantic.fields import FieldInfo

from ....workers.training import FinetuneSettings, MergeSettings, PretrainSettings, Trained
from ....workers.training.data.chat_examples import Example, Examples, ends_with_answer, nothing_usable
from ....workers.training.data.data_files import BadRow, read_data_rows
from ....workers.training.settings import PANELS, StageSettings, default_text, help_panel, read_settings
from ...console import stderr, stdout

SHOWN = 5
"""Bad rows that are named."""


def _with_flags(kind: type[StageSettings]) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Make a function of settings a command: a flag for each field, and `--settings` for a file of them."""

    def with_flags(run: Callable[[Any], None]) -> Callable[..., None]:
        def command(settings: Path | None, **flags: Any) -> None:
            run(read_settings(kind, settings, {name: value for name, value in flags.items() if value is not None}))

        file = Annotated[Path | None, typer.Option(help="a YAML file of these settings; a flag wins")]
        flags = [_flag("settings", file), *(_flag(name, _annotation(field)) for name, field in by_help_panel(kind))]
        command.__doc__ = run.__doc__
        command.__dict__["__signature__"] = inspect.Signature(flags)
        return command

    return with_flags


def by_help_panel(kind: type[StageSettings]) -> list[tuple[str, FieldInfo]]:
    """Return a stage's fields as its help shows them: by panel, the stage's own first."""

    def place(named: tuple[str, FieldInfo]) -> tuple[int, bool]:
        name, field = named
        return PANELS.index(help_panel(field)), name not in kind.__annotations__

    return sorted(kind.model_fields.items(), key=place)


def _flag(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(field: FieldInfo) -> Any:
    """Return a field's type as a flag; a list or mapping is written in one word, which the settings read."""
    scalar = get_origin(field.annotation) not in (dict, list)
    default = default_text(field)
    words = f"{field.description} (default: {default})" if default else field.description
    option = typer.Option(help=words, rich_help_panel=help_panel(field), show_default=False)
    return Annotated[Optional[field.annotation if scalar else str], option]  # noqa: UP045 the type is a value here


@_with_flags(FinetuneSettings)
def finetune(settings: FinetuneSettings) -> None:
    """Fine-tune a model on questions and answers: LoRA, QLoRA or all weights.

    Questions and SQL become such data with `quackllm prepare`. LoRA on a base, three times through the data:

        quackllm finetune --model-name /models/Qwen2.5-Coder-7B \\
          --train-file train.jsonl --output-dir runs/sql

    The base in 4 bits, for one small GPU:

        quackllm finetune --method qlora --model-name Qwen/Qwen2.5-Coder-7B \\
          --train-file train.jsonl --eval-file dev.jsonl --output-dir runs/sql

    Rows of a DuckDB query, settings from a file, one of them changed:

        quackllm finetune --settings finetune.yaml --database data.duckdb \\
          --query "SELECT messages FROM examples" --learning-rate 1e-4

    Two GPUs, or two machines of a Ray cluster:

        quackllm finetune --settings finetune.yaml --num-workers 2 --ray-address auto

    The loss falls on the answers alone. Typed again after a kill, the command goes on at its last checkpoint.
    """
    from ....workers.training import finetune

    source = {"query": settings.query, "database": settings.database}
    measured = _asked(settings, settings.eval_file) if settings.eval_file else None
    trained = finetune(settings, _asked(settings, settings.train_file, **source), measured)
    adapter = settings.method != "full"
    _show(
        trained,
        f"quackllm merge --adapter {settings.output_dir} --output-dir {settings.output_dir}/merged" if adapter else "",
    )


def _asked(settings: FinetuneSettings, file: str | None, **source: str | None) -> Examples | None:
    """Return rows of questions with their SQL in the model's own prompt form; None where the rows are conversations.

    They are checked as `quackllm prepare` checks them.
    """
    from ....udf.text2sql.prompts.formats import format_named
    from ....udf.text2sql.training_data import build_examples

    first = next((row for row in read_data_rows(file, **source) if not isinstance(row, BadRow)), None)
    if first is None or not ends_with_answer(first[1]):
        return None
    form = format_named(None, settings.model_name)
    made, left_out = build_examples(read_data_rows(file, **source), form, database=settings.database or "")
    bad = [BadRow(one.line, f"{one.kind}: {one.why}") for one in left_out]
    if not made:
        raise nothing_usable(file or "the query", bad)
    return Examples([Example(one.question.line, one.messages) for one in made], bad)


@_with_flags(PretrainSettings)
def pretrain(settings: PretrainSettings) -> None:
    """Go on pre-training a model on raw text, or make a small one of your own.

    A model that there is, on more text:

        quackllm pretrain --model-name /models/Qwen2.5-Coder-7B \\
          --train-file text.jsonl --output-dir runs/text --learning-rate 2e-5

    A fresh model of the shape that a config.json gives, with a tokenizer made from the text:

        quackllm pretrain --config config.json --vocab-size 8000 \\
          --train-file text.txt --output-dir runs/own --learning-rate 1e-3

    The text is packed into windows of max_seq_length tokens. Typed again after a kill, the command goes on at its
    last checkpoint.
    """
    from ....workers.training import pretrain

    _show(pretrain(settings), "")


@_with_flags(MergeSettings)
def merge(settings: MergeSettings) -> None:
    """Merge a LoRA adapter into its base: one model that deploys by itself.

    An adapter that `quackllm finetune` made:

        quackllm merge --adapter runs/sql --output-dir models/sql

    An adapter that was trained on a base in 4 bits, added to the base's whole weights, which lie elsewhere now:

        quackllm merge --adapter runs/sql --model-name /models/Qwen2.5-Coder-7B --output-dir models/sql
    """
    from ....workers.training import merge

    _show_next(merge(settings))


def _show(trained: Trained, merging: str) -> None:
    """Print what was left out, where the result is, and what to type next."""
    data = trained.data
    _show_left_out("bad, and left out", data.bad)
    too_long = [BadRow(line, "its answer would be cut at max_seq_length") for line in data.too_long]
    _show_left_out("too long, and left out", too_long)
    _show_left_out("of eval_file left out", data.eval_bad)
    if trained.resumed_at is not None:
        _tell(f"It went on at step {trained.resumed_at}.")
    losses = f"loss {trained.loss:.4f}" + (f", eval_loss {trained.eval_loss:.4f}" if trained.eval_loss else "")
    _tell(f"{trained.folder}: {trained.steps} steps, {losses}, {trained.seconds:.0f} s")
    _tell(f"The curve: {trained.folder.parent / 'loss.png'}")
    if merging:
        _tell(f"Merge it: {merging}")
    else:
        _show_next(trained.folder)


def _show_left_out(why: str, rows: Sequence[BadRow]) -> None:
    if rows:
        stderr.print(f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} {why}:", highlight=False)
        for row in rows[:SHOWN]:
            stderr.print(f"  {row}", highlight=False, markup=False)


def _show_next(folder: Path) -> None:
    _tell(f"Deploy it: quackllm deploy my_sql custom/auto --model-path {folder}")
    _tell("           and  -p prompt_form=FORM  where its examples were made by quackllm prepare --prompt-form FORM")


def _tell(text: str) -> None:
    """Print a line that may be copied: nothing in it is broken or coloured."""
    stdout.print(text, highlight=False, markup=False, soft_wrap=True)
