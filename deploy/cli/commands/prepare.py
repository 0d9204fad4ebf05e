"""`quackllm prepare`: chat-form training data from suites and files of questions and SQL."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ....workers.atomic_files import atomic_write
from ....workers.errors import RequestError, SetupError
from ....workers.messages import Message
from ...terminal_output import make_table, pluralize, print_line, print_table, stderr

if TYPE_CHECKING:
    from ....udf.text2sql.evaluation.datasets import Question
    from ....udf.text2sql.evaluation.question_rows import SkippedRow
    from ....udf.text2sql.training_data import ChatExample, HeldOut

# Left-out lines that are printed.
MAX_LEFT_OUT = 10
DUPLICATE = "the same example is in another source"
Source = tuple[str, "Question | SkippedRow"]


def prepare(
    files: Annotated[
        list[str] | None, typer.Argument(help="JSON lines, a JSON list or Parquet: question, sql, schema or db.")
    ] = None,
    output: Annotated[Path, typer.Option("--out", help="The file for the examples, JSON lines.")] = Path("train.jsonl"),
    suite: Annotated[list[str] | None, typer.Option(help="spider, wikisql … of the folder in QUACKLLM_DATA.")] = None,
    split: Annotated[str, typer.Option(help="The suites' part: train.")] = "train",
    query: Annotated[str | None, typer.Option(help="A DuckDB query that returns such rows.")] = None,
    database: Annotated[str, typer.Option(help="A DuckDB file: for --query, and for rows without a db.")] = "",
    prompt_form: Annotated[str, typer.Option(help="The model's prompt form: chat, xiyan, sqlcoder …")] = "chat",
    language: Annotated[list[str] | None, typer.Option(help="Only questions in these: en, zh.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of examples.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of the shuffle.")] = 0,
    eval_share: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of databases set aside for evaluation.")
    ] = 0.0,
    eval_out: Annotated[Path | None, typer.Option(help="The file for them. Left out: beside --out.")] = None,
    drop_empty: Annotated[bool, typer.Option(help="Leave out SQL that returns no rows.")] = False,
    exclude_databases_of: Annotated[
        list[str] | None, typer.Option(help="Your own test files; their databases are left out too.")
    ] = None,
    left_out: Annotated[Path | None, typer.Option(help="Write every line left out here, with the reason.")] = None,
) -> None:
    """Make training data for `quackllm finetune`: questions in the model's own prompt form, with SQL that runs.

    Each prompt is exactly the one that text2sql will send, and DuckDB checks the SQL. Databases and questions of
    the test sets (`dev`) are left out.

        quackllm prepare --suite spider --suite wikisql --out train.jsonl
        quackllm prepare questions.jsonl --database shop.duckdb --prompt-form xiyan
        quackllm prepare sql_create_context_v4.json --prompt-form sqlcoder --eval-share 0.05
    """
    if split == "dev":
        raise RequestError("dev is the test split and cannot be trained on", hint="type: --split train")
    if unknown := set(language or []) - {"en", "zh"}:
        raise RequestError(f"no language is called {min(unknown)!r}", hint="type: --language en, --language zh")
    sources = list(_read(files or [], suite or [], split, query, database))
    if not sources:
        raise RequestError("there is nothing to prepare", hint="type: quackllm prepare --suite spider, or name a file")
    examples, missing = _make_examples(
        sources, prompt_form, _held_out(exclude_databases_of or [], database), drop_empty, language or [], limit, seed
    )
    if not examples:
        _show_left_out(missing)
        raise SetupError(
            "no line could be used as an example", hint="its SQL is checked: see above why each was left out"
        )
    eval_out = eval_out or output.with_suffix(f".eval{output.suffix}")
    _write_all(examples, prompt_form, output, eval_share, eval_out, seed)
    if left_out:
        rows = ({"source": name, "line": one.line, "kind": one.kind, "why": one.why} for name, one in missing)
        _write(left_out, rows)
    _show_left_out(missing, left_out)


def _read(
    files: Sequence[str], suites: Sequence[str], split: str, query: str | None, database: str
) -> Iterable[Source]:
    """Yield the questions of every source, with the source's name."""
    from ....udf.text2sql.evaluation.datasets import load_questions
    from ....udf.text2sql.evaluation.question_rows import parse_question
    from ....workers.training.data.data_files import read_data_rows

    for name in suites:
        yield from ((name, question) for question in load_questions(name, split))
    for file in files:
        yield from ((file, parse_question(row, database)) for row in read_data_rows(file))
    if query:
        yield from (("--query", parse_question(row, database)) for row in read_data_rows(None, query, database or None))


def _held_out(files: Sequence[str], database: str) -> HeldOut:
    from ....udf.text2sql.evaluation.suites import load_suite
    from ....udf.text2sql.training_data import HeldOut, held_out

    own = HeldOut.of(question for file in files for question in load_suite(file, database=database).questions)
    standard = held_out()
    return HeldOut(standard.databases | own.databases, standard.asked | own.asked)


def _make_examples(
    sources: Sequence[Source],
    form: str,
    test_sets: HeldOut,
    drop_empty: bool,
    languages: Sequence[str],
    limit: int | None,
    seed: int,
) -> tuple[list[ChatExample], list[tuple[str, SkippedRow]]]:
    """Return the shuffled examples, and the rows that were left out with their sources."""
    from ....udf.text2sql.evaluation.datasets import Question
    from ....udf.text2sql.evaluation.question_rows import SkippedRow
    from ....udf.text2sql.training_data import build_examples, shuffled

    missing = [(name, one) for name, one in sources if not isinstance(one, Question)]
    examples: list[ChatExample] = []
    seen: set[tuple[Message, ...]] = set()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        for name in dict.fromkeys(name for name, _ in sources):
            questions = [one for source, one in sources if source == name and isinstance(one, Question)]
            # Without a limit all are made, which is faster database by database, and shuffled afterwards.
            questions = shuffled(questions, seed) if limit else questions
            bar = progress.add_task(name, total=len(questions))

            def advance(bar: object = bar) -> None:
                progress.advance(bar)  # type: ignore[arg-type]

            made, left_out = build_examples(
                questions,
                form,
                tested=test_sets,
                drop_empty=drop_empty,
                languages=languages,
                limit=limit,
                progress=advance,
            )
            repeated = [SkippedRow(one.question.line, "duplicate", DUPLICATE) for one in made if one.messages in seen]
            examples += [one for one in made if one.messages not in seen]
            seen |= {one.messages for one in made}
            missing += [(name, one) for one in (*left_out, *repeated)]
    random.Random(seed).shuffle(examples)
    return examples[:limit], missing


def _write_all(
    examples: Sequence[ChatExample], prompt_form: str, output: Path, share: float, eval_out: Path, seed: int
) -> None:
    from ....udf.text2sql.training_data import split_by_database

    training, evaluation = split_by_database(examples, share, seed)
    for path, part in ((output, training), (eval_out, evaluation)):
        if part:
            _write(path, ({**example.row, "prompt_form": prompt_form} for example in part))
            databases = len({(one.question.db, one.question.schema, one.question.columns) for one in part})
            print_line(f"{path}: {pluralize(len(part), 'example')} of {pluralize(databases, 'schema')}")
    training_line = f"quackllm finetune --model-name FOLDER --train-file {output} --output-dir runs/sql"
    print_line(f"Train on it: {training_line}")


def _write(path: Path, rows: Iterable[object]) -> None:
    """Write JSON lines, completely or not at all."""
    try:
        with atomic_write(path) as draft, draft.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error}", hint="does its folder exist?") from error


def _show_left_out(missing: Sequence[tuple[str, SkippedRow]], written_to: Path | None = None) -> None:
    """Print how many lines were left out and why, and the first ones."""
    if not missing:
        return
    table = make_table("left out", "why", "lines", numbers_from=2)
    counts = Counter((name, one.kind) for name, one in missing)
    for (name, kind), count in counts.most_common():
        table.add_row(name, kind, str(count))
    print_table(table)
    printed = [(name, one) for name, one in missing if one.kind not in ("duplicate", "tested", "language")]
    for name, one in printed[:MAX_LEFT_OUT]:
        print_line(f"{name}, line {one.line}: {one.why.splitlines()[0]}")
    rest = len(missing) - min(len(printed), MAX_LEFT_OUT)
    if rest and not written_to:
        print_line(f"--left-out FILE names the other {rest:,} too")
