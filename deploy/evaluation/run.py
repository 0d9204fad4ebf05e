"""`quackllm evaluate`: how many questions of a suite are answered right, asked through the SQL functions themselves."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ...udf.calls.prices import add_cost
from ...udf.session.statement import FailedRowsWarning
from ...udf.settings import StoreMode
from ...udf.text2sql.evaluation.client import Text2SqlClient
from ...udf.text2sql.evaluation.databases import QuestionDatabases
from ...udf.text2sql.evaluation.datasets import DATA_VARIABLE, list_suites, using_sample
from ...udf.text2sql.evaluation.gold import GoldAnswers
from ...udf.text2sql.evaluation.report import Comparison, Report, comparisons
from ...udf.text2sql.evaluation.runner import evaluate_suite
from ...udf.text2sql.evaluation.scoring import OUTCOMES, RIGHT, ScoredAnswer
from ...udf.text2sql.evaluation.suites import Suite, Turns, load_suite
from ...workers import connect_fleet
from ...workers.atomic_files import atomic_write_text
from ...workers.errors import SetupError
from ...workers.serving.fleet import BUILTIN_TEXT2SQL, find_model
from ..console import show_json, stderr, stdout

INTERRUPTED = 130
"""What a shell gives for a command that Ctrl-C ended."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the report goes, beside the terminal: JSON to the standard output, a folder, an HTML page."""

    json: bool = False
    folder: Path | None = None
    html: Path | None = None


def run_evaluation(
    suite_name: str,
    models: Sequence[str],
    cluster: str | None,
    outputs: Outputs,
    *,
    database: str = "",
    turns: Turns | None = None,
    gold_history: bool = False,
    limit: int | None = None,
    seed: int | None = None,
    store: StoreMode | None = None,
) -> int:
    """Evaluate models on a suite, print what came of it, and return the exit code.

    Returns:
        0; 1 where no question could be judged; 130 where Ctrl-C ended it.

    Raises:
        SetupError: there is no such suite.
        UnknownModelError: a model is not deployed.
    """
    suite = load_suite(suite_name, database=database, turns=turns, limit=limit, seed=seed)
    if not suite.conversations:
        raise SetupError(f"{suite_name} holds no question", hint=_first_fault(suite))
    for model in models:
        find_model(connect_fleet(cluster), model)
    reports = _evaluated(suite, models or [""], cluster, gold_history, store)
    _add_money(reports, cluster)
    compared = comparisons(reports)
    if outputs.folder:
        write_folder(outputs.folder, reports, compared)
    if outputs.html:
        from .page import render_page

        _write(outputs.html, render_page(reports, compared))
    if outputs.json:
        show_json(report_fields(reports, compared))
    else:
        _show(reports, compared)
    if any(report.unasked for report in reports):
        return INTERRUPTED
    return 0 if any(report.judged for report in reports) else 1


def _first_fault(suite: Suite) -> str:
    return f"line {suite.left_out[0].line}: {suite.left_out[0].why}" if suite.left_out else ""


def _evaluated(
    suite: Suite, models: Sequence[str], cluster: str | None, gold_history: bool, store: StoreMode | None
) -> list[Report]:
    """Ask one model after the other; the right answers are found once. Ctrl-C leaves the later ones out."""
    reports: list[Report] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=stderr, transient=True) as progress,
        warnings.catch_warnings(),
        QuestionDatabases() as sources,
    ):
        warnings.simplefilter("ignore", FailedRowsWarning)
        gold = GoldAnswers(sources)
        for model in models:
            bar = progress.add_task(f"{suite.name} {model}".strip(), total=len(suite.questions))

            def advance(count: int, bar: Any = bar) -> None:
                progress.advance(bar, count)

            ask = Text2SqlClient(model or None, cluster, store)
            report = evaluate_suite(ask, suite, gold, gold_history=gold_history, progress=advance)
            report.model = model or _answering(report)
            reports.append(report)
            if report.unasked:
                break
    return reports


def _answering(report: Report) -> str:
    """Return the model that answered where none was named."""
    return next((judged.answered.model for judged in report.judged if judged.answered.model), BUILTIN_TEXT2SQL.name)


def _add_money(reports: Sequence[Report], cluster: str | None) -> None:
    deployed = {BUILTIN_TEXT2SQL.name: BUILTIN_TEXT2SQL, **connect_fleet(cluster).deployed()}
    for report in reports:
        read, written = report.tokens()
        engine = deployed[report.model].type if report.model in deployed else ""
        row: dict[str, Any] = {"model": report.model, "engine": engine, "input_tokens": read, "output_tokens": written}
        add_cost([row])
        report.money = row["money"]


def report_fields(reports: Sequence[Report], compared: Sequence[Comparison]) -> dict[str, Any]:
    """Return what came of it as JSON can hold it; shares are from 0 to 1."""
    left_out = [asdict(one) for one in reports[0].left_out]
    return {
        "suite": reports[0].suite,
        "models": [_model_fields(report) for report in reports],
        "comparisons": [{**asdict(one), "significant": one.significant} for one in compared],
        "left_out": left_out,
    }


def _model_fields(report: Report) -> dict[str, Any]:
    read, written = report.tokens()
    median, most = report.latency_quantiles()
    return {
        "model": report.model,
        "questions": len(report.judged),
        "unasked": report.unasked,
        "accuracy": report.accuracy(),
        "parts": {name: part_fields(part) for name, part in report.parts().items()},
        "errors": dict(report.codes()),
        "bound_or_declined": report.bind_rate(),
        "input_tokens": read,
        "output_tokens": written,
        "money": report.money,
        "seconds": round(report.seconds, 2),
        "seconds_a_question": {"median": round(median, 4), "p95": round(most, 4)},
    }


def part_fields(part: Sequence[ScoredAnswer]) -> dict[str, Any]:
    """Return how many questions of a part came out how."""
    counts = {outcome: sum(one.outcome == outcome for one in part) for outcome in OUTCOMES}
    known = {outcome: count for outcome, count in counts.items() if count}
    return {"questions": len(part), "accuracy": counts[RIGHT] / max(len(part), 1), **known}


def judged_fields(report: Report, judged: ScoredAnswer) -> dict[str, Any]:
    """Return everything about one question as JSON can hold it."""
    from ...udf.text2sql.evaluation.difficulty import spider_difficulty

    question, answered = judged.question, judged.answered
    return {
        "model": report.model,
        "line": question.line,
        "db": question.db,
        **({"dialogue": question.dialogue, "turn": question.turn} if question.dialogue is not None else {}),
        "question": question.question,
        "outcome": judged.outcome,
        "gold": question.sql,
        "sql": answered.sql,
        "difficulty": spider_difficulty(question.sql),
        "several_tables": judged.joins,
        "code": answered.code,
        "message": answered.message or judged.why,
        "difference": asdict(judged.difference) if judged.difference else None,
        "attempts": answered.attempts,
        "bound": answered.bound,
        "input_tokens": answered.input_tokens,
        "output_tokens": answered.output_tokens,
        "seconds": round(answered.seconds, 4),
    }


def write_folder(folder: Path, reports: Sequence[Report], compared: Sequence[Comparison]) -> None:
    """Write `report.json`, and `results.jsonl` with a line for each question and model."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(judged_fields(r, one), ensure_ascii=False) for r in reports for one in r.judged)
    _write(folder / "results.jsonl", "".join(f"{line}\n" for line in lines))
    _write(folder / "report.json", json.dumps(report_fields(reports, compared), ensure_ascii=False, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        atomic_write_text(path, text)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error}", hint="does its folder exist?") from error


def _show(reports: Sequence[Report], compared: Sequence[Comparison]) -> None:
    stdout.print(accuracy_table(reports))
    if reports[0].suite in list_suites() and using_sample():
        told = f"(of the sample that quackllm brings; export {DATA_VARIABLE}=FOLDER for the whole)"
        stdout.print(told, highlight=False, markup=False, soft_wrap=True)
    stdout.print(_outcome_table(reports))
    for report in reports:
        if codes := report.codes():
            told = ", ".join(f"{count} × {code}" for code, count in codes.most_common())
            stdout.print(f"{report.model}, why there was none: {told}", highlight=False, markup=False, soft_wrap=True)
    stdout.print(_cost_table(reports))
    for comparison in compared:
        stdout.print(f"{comparison.one} and {comparison.other}: {comparison}", highlight=False, markup=False)
    left_out = reports[0].left_out
    for fault in left_out[:10]:
        why = fault.why.splitlines()[0]
        stdout.print(f"line {fault.line} left out ({fault.kind}): {why}", highlight=False, markup=False, soft_wrap=True)
    if len(left_out) > 10:
        stdout.print(f"and {len(left_out) - 10} more lines left out", highlight=False)
    for report in reports:
        if report.unasked:
            text = (
                f"stopped: {report.unasked} questions were not judged; what was answered is kept, and not asked again"
            )
            stdout.print(text, highlight=False)


def accuracy_table(reports: Sequence[Report]) -> Table:
    """Return the share that is right, by parts, a column a model."""
    table = Table(title=reports[0].title, box=None, header_style="bold", title_justify="left")
    table.add_column("questions")
    table.add_column("of", justify="right")
    for report in reports:
        table.add_column(f"{report.model}, %", justify="right")
    parts = [report.parts() for report in reports]
    for name, part in parts[0].items():
        shares = [f"{100 * part_fields(found.get(name, ()))['accuracy']:.1f}" for found in parts]
        table.add_row(name, str(len(part)), *shares)
    return table


def _outcome_table(reports: Sequence[Report]) -> Table:
    table = _plain_table("came out", reports)
    counts = [report.counts() for report in reports]
    for outcome in OUTCOMES:
        if any(count[outcome] for count in counts):
            table.add_row(outcome, *(str(count[outcome]) for count in counts))
    return table


def _cost_table(reports: Sequence[Report]) -> Table:
    table = _plain_table("cost", reports)
    rows = {
        "tokens read, written": [f"{read:,}, {written:,}" for read, written in (r.tokens() for r in reports)],
        "money": ["not known" if r.money is None else f"{r.money:.4g}" for r in reports],
        "seconds, all": [f"{r.seconds:.1f}" for r in reports],
        "seconds a question, median, 95 % below": ["{:.3f}, {:.3f}".format(*r.latency_quantiles()) for r in reports],
        "binds or declined, %": [f"{100 * r.bind_rate():.1f}" for r in reports],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def _plain_table(first: str, reports: Sequence[Report]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(first)
    for report in reports:
        table.add_column(report.model, justify="right")
    return table
