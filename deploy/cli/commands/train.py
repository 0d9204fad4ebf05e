"""`quackllm finetune`, `pretrain` and `merge`: their flags are the fields of the stages' settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional, get_origin

import typer
from pydantic.fields import FieldInfo

from ....workers.training import FinetuneSettings, MergeSettings, PretrainSettings, Trained
from ....workers.training.data.chat_examples import TrainingExample, TrainingExamples, ends_with_answer, nothing_usable
from ....workers.training.data.data_files import BadRow, read_data_rows
from ....workers.training.settings import PANELS, StageSettings, default_text, help_panel, read_settings
from ...terminal_output import pluralize, print_line, stderr
from ..prompt_form import deploy_command, load_prompt_form, save_prompt_form

# Bad rows that are printed.
MAX_BAD_ROWS = 5


def _with_flags(settings_type: type[StageSettings]) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Make a command of a function that takes settings: a flag per field, and `--settings` for a file of them."""

    def with_flags(run: Callable[[Any], None]) -> Callable[..., None]:
        def command(settings: Path | None, **flags: Any) -> None:
            given = {name: value for name, value in flags.items() if value is not None}
            read = read_settings(settings_type, settings, given)
            # PyTorch takes seconds to load, on a busy machine minutes, before the first progress can be shown.
            print_line("Loading PyTorch, transformers and the data …", to=stderr)
            run(read)

        file = Annotated[Path | None, typer.Option(help="a YAML file of these settings; a flag overrides it")]
        flags = [
            _flag("settings", file),
            *(_flag(name, _annotation(field)) for name, field in by_help_panel(settings_type)),
        ]
        command.__doc__ = run.__doc__
        command.__dict__["__signature__"] = inspect.Signature(flags)
        return command

    return with_flags


def by_help_panel(settings_type: type[StageSettings]) -> list[tuple[str, FieldInfo]]:
    """Return a stage's fields in the order of its help: by panel, the stage's own first."""

    def sort_key(item: tuple[str, FieldInfo]) -> tuple[int, bool]:
        name, field = item
        return PANELS.index(help_panel(field)), name not in settings_type.__annotations__

    return sorted(settings_type.model_fields.items(), key=sort_key)


def _flag(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _annotation(field: FieldInfo) -> Any:
    """Return a field's type as a flag; a list or mapping is one word, which the settings parse."""
    scalar = get_origin(field.annotation) not in (dict, list)
    default = default_text(field)
    text = f"{field.description} (default: {default})" if default else field.description
    option = typer.Option(help=text, rich_help_panel=help_panel(field), show_default=False)
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
    examples, prompt_form = _read_examples(settings, settings.train_file, **source)
    eval_examples, _ = _read_examples(settings, settings.eval_file) if settings.eval_file else (None, None)
    trained = finetune(settings, examples, eval_examples)
    save_prompt_form(trained.folder, prompt_form)
    _show_result(trained)
    if settings.method == "full":
        _show_deploy_command(trained.folder)
    else:
        print_line(
            f"Merge it: quackllm merge --adapter {settings.output_dir} --output-dir {settings.output_dir}/merged"
        )


def _read_examples(
    settings: FinetuneSettings, file: str | None, **source: str | None
) -> tuple[TrainingExamples | None, str | None]:
    """Return the examples made of rows of questions and SQL, and the prompt form of the data.

    The rows are checked as `quackllm prepare` checks them. The examples are None if the rows are conversations,
    whose prompt form is in each row that `quackllm prepare` wrote.
    """
    from ....udf.text2sql.prompts.formats import format_named
    from ....udf.text2sql.training_data import build_examples

    first = next((row for row in read_data_rows(file, **source) if not isinstance(row, BadRow)), None)
    if first is None or not ends_with_answer(first[1]):
        return None, first[1].get("prompt_form") if first else None
    form = format_named(None, settings.model_name)
    made, left_out = build_examples(read_data_rows(file, **source), form, database=settings.database or "")
    bad = [BadRow(row.line, f"{row.kind}: {row.why}") for row in left_out]
    if not made:
        raise nothing_usable(file or "the query", bad)
    conversations = [TrainingExample(example.question.line, example.messages) for example in made]
    return TrainingExamples(conversations, bad), form.name


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

    trained = pretrain(settings)
    _show_result(trained)
    _show_deploy_command(trained.folder)


@_with_flags(MergeSettings)
def merge(settings: MergeSettings) -> None:
    """Merge a LoRA adapter into its base: one model that deploys by itself.

    An adapter that `quackllm finetune` made:

        quackllm merge --adapter runs/sql --output-dir models/sql

    An adapter that was trained on a base in 4 bits, added to the base's whole weights, which lie elsewhere now:

        quackllm merge --adapter runs/sql --model-name /models/Qwen2.5-Coder-7B --output-dir models/sql
    """
    from ....workers.training import merge
    from ....workers.training.run_folder import require_finished

    folder = merge(settings)
    save_prompt_form(folder, load_prompt_form(require_finished(settings.adapter)))
    _show_deploy_command(folder)


def _show_result(trained: Trained) -> None:
    """Print what was left out, and the result."""
    data = trained.data
    _show_left_out("bad, and left out", data.bad)
    too_long = [BadRow(line, "its answer would be cut at max_seq_length") for line in data.too_long]
    _show_left_out("too long, and left out", too_long)
    _show_left_out("of eval_file left out", data.eval_bad)
    if trained.resumed_at is not None:
        print_line(f"It resumed at step {trained.resumed_at}.")
    losses = f"loss {trained.loss:.4f}" + (f", eval_loss {trained.eval_loss:.4f}" if trained.eval_loss else "")
    print_line(f"{trained.folder}: {trained.steps} steps, {losses}, {trained.seconds:.0f} s")
    print_line(f"The curve: {trained.folder.parent / 'loss.png'}")


def _show_left_out(reason: str, rows: Sequence[BadRow]) -> None:
    if rows:
        print_line(f"{pluralize(len(rows), 'row')} {reason}:", to=stderr)
        for row in rows[:MAX_BAD_ROWS]:
            print_line(f"  {row}", to=stderr)


def _show_deploy_command(folder: Path) -> None:
    command = deploy_command("my_sql", f"--model-path {folder}", load_prompt_form(folder))
    print_line(f"Deploy it: {command}")
