"""The page of an evaluation: one HTML file with charts and every question, which needs no network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ...udf.text2sql.evaluation.difficulty import spider_difficulty
from ...udf.text2sql.evaluation.report import Comparison, Report
from ...udf.text2sql.evaluation.scoring import OUTCOMES, RIGHT, ScoredAnswer
from .fields import answer_fields, part_fields

TEMPLATE = Path(__file__).with_suffix(".html")
BINS = 24
# Characters of an answer or a message that the page shows.
MAX_CHARACTERS = 4000
MAX_LEFT_OUT = 200


def render_page(reports: Sequence[Report], compared: Sequence[Comparison]) -> str:
    """Return the page.

    Args:
        reports: one per model, all of the same suite.
        compared: the models' comparisons.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        reports=reports,
        compared=compared,
        outcomes=[(number, name) for number, name in enumerate(OUTCOMES) if any(r.counts()[name] for r in reports)],
        histograms=_histograms(reports),
        data=_questions(reports),
        right=RIGHT,
        part_fields=part_fields,
        max_characters=MAX_CHARACTERS,
        max_left_out=MAX_LEFT_OUT,
    )


def _histograms(reports: Sequence[Report]) -> list[list[dict[str, float]]]:
    """Return a histogram of the seconds per question for each model, on one logarithmic axis; [] if none took time."""
    seconds = [[one.answered.seconds for one in report.judged if one.answered.seconds > 0] for report in reports]
    logarithms = [math.log10(value) for of_model in seconds for value in of_model]
    if not logarithms:
        return []
    low, high = min(logarithms), max(logarithms)
    return [list(_histogram(of_model, low, (high - low) / BINS or 1.0)) for of_model in seconds]


def _histogram(seconds: Sequence[float], low: float, width: float) -> Iterator[dict[str, float]]:
    bins = [0] * BINS
    for value in seconds:
        bins[min(int((math.log10(value) - low) / width), BINS - 1)] += 1
    for index, count in enumerate(bins):
        yield {
            "count": count,
            "percent": 100 * count / (max(bins) or 1),
            "from": 10 ** (low + index * width),
            "to": 10 ** (low + (index + 1) * width),
        }


def _questions(reports: Sequence[Report]) -> dict[str, Any]:
    """Return the questions that every model answered, as the page's script reads them."""
    answers = [{id(scored.question): scored for scored in report.judged} for report in reports]
    shared = [scored for scored in reports[0].judged if all(id(scored.question) in of_model for of_model in answers)]
    return {
        "models": [report.model for report in reports],
        "outcomes": OUTCOMES,
        "questions": [
            {
                **_question(scored, reports[0]),
                "answers": [
                    _answer(report, of_model[id(scored.question)])
                    for report, of_model in zip(reports, answers, strict=True)
                ],
            }
            for scored in shared
        ],
    }


def _question(scored: ScoredAnswer, report: Report) -> dict[str, Any]:
    question = scored.question
    parts = ["several tables" if scored.joins else "one table", spider_difficulty(question.sql) or ""]
    if question.dialogue is not None and len(report.turns) > 1:
        parts.append(f"turn {report.turns[question.turn]}")
    where = " · ".join(part for part in (question.db, parts[1], f"line {question.line}") if part)
    return {"question": question.question, "gold": question.sql, "db": question.db, "parts": parts, "where": where}


def _answer(report: Report, scored: ScoredAnswer) -> dict[str, Any]:
    fields = answer_fields(report, scored)
    shown = {name: fields[name] for name in ("outcome", "sql", "code", "attempts", "seconds", "difference")}
    return {**shown, "message": fields["message"][:MAX_CHARACTERS]}
