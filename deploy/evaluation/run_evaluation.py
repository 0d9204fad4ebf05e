"""Models evaluated on a suite of questions, through the SQL functions themselves."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ...udf.calls.prices import add_cost
from ...udf.session.statement import FailedRowsWarning
from ...udf.settings import StoreMode
from ...udf.text2sql.confidence.calibration import fit
from ...udf.text2sql.confidence.score import save_calibration
from ...udf.text2sql.evaluation.client import Text2SqlClient
from ...udf.text2sql.evaluation.databases import QuestionDatabases
from ...udf.text2sql.evaluation.datasets import DATA_VARIABLE, list_suites, using_sample
from ...udf.text2sql.evaluation.evaluator import evaluate_suite
from ...udf.text2sql.evaluation.gold import GoldAnswers
from ...udf.text2sql.evaluation.report import Comparison, Report, comparisons
from ...udf.text2sql.evaluation.suites import Suite, Turns, load_suite
from ...workers import connect_fleet
from ...workers.atomic_files import atomic_write_text
from ...workers.errors import SetupError
from ...workers.serving.fleet import BUILTIN_TEXT2SQL, find_model
from ..terminal_output import pluralize, print_line, show_json, stderr, stdout
from .fields import answer_fields, report_fields
from .report_page import render_page
from .tables import accuracy_table, confidence_table, cost_table, outcome_table

# A shell's exit code for a command that Ctrl-C ended.
EXIT_INTERRUPTED = 130
# Skipped lines that the terminal shows.
MAX_LEFT_OUT = 10


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the result goes, beside the terminal.

    Args:
        json: print JSON in place of tables.
        folder: write `report.json` and `results.jsonl` into it.
        html: write a page with charts and every question to this file.
    """

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
    notes: str | None = None,
    examples: int = 0,
    votes: int = 1,
    ablate: bool = False,
    calibrate: bool = False,
) -> int:
    """Evaluate models on a suite, print the result, and return the exit code.

    Args:
        suite_name: a suite, or a file of questions.
        models: deployed models, evaluated one after the other; none: text2sql's default model.
        cluster: as for `connect`.
        outputs: where the result goes, beside the terminal.
        database: a DuckDB file, for questions that name none.
        turns: which turns of conversations; None: the suite's own choice.
        gold_history: show later turns the reference SQL in place of the model's own.
        limit: at most so many questions or conversations.
        seed: draw them at random; None: evenly spread.
        store: the mode of the call store; None: that of the settings.
        notes, examples, votes: as in `text2sql`.
        ablate: evaluate each model also without each of these, in the same table.
        calibrate: keep the calibration that fits each model's outcomes.

    Returns:
        0; 1: no question could be scored; 130: Ctrl-C ended it.

    Raises:
        SetupError: there is no such suite.
        UnknownModelError: a model is not deployed.
    """
    suite = load_suite(suite_name, database=database, turns=turns, limit=limit, seed=seed)
    if not suite.conversations:
        raise SetupError(f"{suite_name} contains no question", hint=_first_skipped(suite))
    for model in models:
        find_model(connect_fleet(cluster), model)
    full = [Text2SqlClient(model or None, cluster, store, notes, examples, votes) for model in models or [""]]
    clients = [each for client in full for each in (_ablations(client) if ablate else [client])]
    reports = _evaluate(suite, clients, gold_history)
    _add_costs(reports, cluster)
    if calibrate:
        _save_calibration(reports)
    compared = comparisons(reports)
    if outputs.folder:
        write_folder(outputs.folder, reports, compared)
    if outputs.html:
        _save(outputs.html, render_page(reports, compared))
    if outputs.json:
        show_json(report_fields(reports, compared))
    else:
        _show(reports, compared)
    if any(report.unasked for report in reports):
        return EXIT_INTERRUPTED
    return 0 if any(report.judged for report in reports) else 1


def _first_skipped(suite: Suite) -> str:
    return f"line {suite.left_out[0].line}: {suite.left_out[0].why}" if suite.left_out else ""


def _ablations(client: Text2SqlClient) -> list[Text2SqlClient]:
    """Return a client with all its options, without each one of them, and with none."""
    plain: dict[str, Any] = {"notes": None, "examples": 0, "votes": 1}
    used = [name for name, value in plain.items() if getattr(client, name) != value]
    fewer = [replace(client, **{name: plain[name]}) for name in used] if len(used) > 1 else []
    return [client, *fewer, *([replace(client, **plain)] if used else [])]


def _save_calibration(reports: Sequence[Report]) -> None:
    fitted = {report.model: fit(report.confidences()) for report in reports if report.confidences()}
    if fitted:
        print_line(f"calibration of {', '.join(fitted)} kept in {save_calibration(fitted)}")


def _evaluate(suite: Suite, clients: Sequence[Text2SqlClient], gold_history: bool) -> list[Report]:
    """Evaluate one model after the other; Ctrl-C skips the rest. The reference SQL runs once for all of them."""
    reports: list[Report] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=stderr, transient=True) as progress,
        warnings.catch_warnings(),
        QuestionDatabases() as databases,
    ):
        warnings.simplefilter("ignore", FailedRowsWarning)
        gold = GoldAnswers(databases)
        for client in clients:
            label = " ".join(filter(None, (client.model, client.label)))
            bar = progress.add_task(f"{suite.name} {label}".strip(), total=len(suite.questions))

            def advance(count: int, bar: Any = bar) -> None:
                progress.advance(bar, count)

            report = evaluate_suite(client, suite, gold, gold_history=gold_history, progress=advance)
            named = client.model or _default_model(report)
            report.model = f"{named}, {client.label}" if client.label and len(clients) > 1 else named
            reports.append(report)
            if report.unasked:
                break
    return reports


def _default_model(report: Report) -> str:
    """Return the model that answered when none was named."""
    return next((scored.answered.model for scored in report.judged if scored.answered.model), BUILTIN_TEXT2SQL.name)


def _add_costs(reports: Sequence[Report], cluster: str | None) -> None:
    deployed = {BUILTIN_TEXT2SQL.name: BUILTIN_TEXT2SQL, **connect_fleet(cluster).deployed()}
    for report in reports:
        tokens = dict(zip(("input_tokens", "output_tokens"), report.tokens(), strict=True))
        engine = deployed[name].type if (name := report.model.split(",")[0]) in deployed else ""
        row: dict[str, Any] = {"model": report.model, "engine": engine, **tokens}
        add_cost([row])
        report.money = row["money"]


def write_folder(folder: Path, reports: Sequence[Report], compared: Sequence[Comparison]) -> None:
    """Write `report.json`, and `results.jsonl` with a line for each question and model."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(answer_fields(r, scored), ensure_ascii=False) for r in reports for scored in r.judged)
    _save(folder / "results.jsonl", "".join(f"{line}\n" for line in lines))
    _save(folder / "report.json", json.dumps(report_fields(reports, compared), ensure_ascii=False, indent=2) + "\n")


def _save(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    try:
        atomic_write_text(path, text)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error}", hint="does its folder exist?") from error


def _show(reports: Sequence[Report], compared: Sequence[Comparison]) -> None:
    stdout.print(accuracy_table(reports))
    if reports[0].suite in list_suites() and using_sample():
        print_line(f"(on the sample that comes with quackllm; export {DATA_VARIABLE}=FOLDER for the whole suite)")
    stdout.print(outcome_table(reports))
    for report in reports:
        if codes := report.codes():
            counts = ", ".join(f"{count} × {code}" for code, count in codes.most_common())
            print_line(f"{report.model}, errors: {counts}")
    stdout.print(cost_table(reports))
    if any(report.confidences() for report in reports):
        stdout.print(confidence_table(reports))
    for pair in compared:
        print_line(f"{pair.one} and {pair.other}: {pair}")
    left_out = reports[0].left_out
    for row in left_out[:MAX_LEFT_OUT]:
        print_line(f"line {row.line} left out ({row.kind}): {row.why.splitlines()[0]}")
    if len(left_out) > MAX_LEFT_OUT:
        print_line(f"and {len(left_out) - MAX_LEFT_OUT} more lines left out")
    for report in reports:
        if report.unasked:
            print_line(f"stopped: {pluralize(report.unasked, 'question')} not scored; the answers so far are stored")
