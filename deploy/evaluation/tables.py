"""The result of an evaluation as tables in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ...udf.text2sql.confidence.calibration import expected_calibration_error, risk_at_coverage
from ...udf.text2sql.evaluation.report import Report
from ...udf.text2sql.evaluation.scoring import OUTCOMES
from ..terminal_output import make_table
from .fields import part_fields


def accuracy_table(reports: Sequence[Report]) -> Table:
    """Return the accuracy in percent of each part of the questions, one column per model."""
    table = make_table("questions", "of", *(f"{report.model}, %" for report in reports))
    table.title, table.title_justify = reports[0].title, "left"
    parts = [report.parts() for report in reports]
    for name, part in parts[0].items():
        percents = [f"{100 * part_fields(of_model.get(name, ()))['accuracy']:.1f}" for of_model in parts]
        table.add_row(name, str(len(part)), *percents)
    return table


def outcome_table(reports: Sequence[Report]) -> Table:
    """Return how often each outcome occurs, one column per model."""
    table = make_table("outcome", *(report.model for report in reports))
    counts = [report.counts() for report in reports]
    for outcome in OUTCOMES:
        if any(count[outcome] for count in counts):
            table.add_row(outcome, *(str(count[outcome]) for count in counts))
    return table


def cost_table(reports: Sequence[Report]) -> Table:
    """Return tokens, cost and seconds, one column per model."""
    table = make_table("cost", *(report.model for report in reports))
    rows = {
        "tokens read, written": ["{:,}, {:,}".format(*r.tokens()) for r in reports],
        "money": ["not known" if r.money is None else f"{r.money:.4g}" for r in reports],
        "seconds, all": [f"{r.seconds:.1f}" for r in reports],
        "seconds a question, median, 95 % below": ["{:.3f}, {:.3f}".format(*r.latency_quantiles()) for r in reports],
        "right, or with further columns, %": [f"{100 * r.lenient_accuracy():.1f}" for r in reports],
        "binds or declined, %": [f"{100 * r.bind_rate():.1f}" for r in reports],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def confidence_table(reports: Sequence[Report]) -> Table:
    """Return how well the confidence is calibrated, and how wrong the surest answers are, one column per model."""
    table = make_table("confidence", *(report.model for report in reports))
    answers = [report.confidences() for report in reports]
    errors = [f"{expected_calibration_error(each):.3f}" if each else "none" for each in answers]
    table.add_row("calibration error (ECE)", *errors)
    curves = [dict(risk_at_coverage(each)) for each in answers]
    for coverage in (0.2, 0.5, 0.8, 1.0):
        wrong = [f"{100 * curve[coverage]:.1f}" if coverage in curve else "none" for curve in curves]
        table.add_row(f"wrong of the surest {coverage:.0%}, %", *wrong)
    return table
