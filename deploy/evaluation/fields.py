"""The result of an evaluation as JSON values: `report.json`, a line of `results.jsonl`, and what the page reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ...udf.text2sql.confidence.calibration import expected_calibration_error, reliability, risk_at_coverage
from ...udf.text2sql.evaluation.difficulty import spider_difficulty
from ...udf.text2sql.evaluation.report import Comparison, Report
from ...udf.text2sql.evaluation.scoring import OUTCOMES, RIGHT, ScoredAnswer


def report_fields(reports: Sequence[Report], compared: Sequence[Comparison]) -> dict[str, Any]:
    """Return the result of an evaluation as JSON values; shares are from 0 to 1."""
    return {
        "suite": reports[0].suite,
        "models": [_model_fields(report) for report in reports],
        "comparisons": [{**asdict(pair), "significant": pair.significant} for pair in compared],
        "left_out": [asdict(row) for row in reports[0].left_out],
    }


def _model_fields(report: Report) -> dict[str, Any]:
    input_tokens, output_tokens = report.tokens()
    median, p95 = report.latency_quantiles()
    return {
        "model": report.model,
        "questions": len(report.judged),
        "unasked": report.unasked,
        "accuracy": report.accuracy(),
        "parts": {name: part_fields(part) for name, part in report.parts().items()},
        "lenient_accuracy": report.lenient_accuracy(),
        "calibration": {
            "ece": expected_calibration_error(report.confidences()),
            "reliability": reliability(report.confidences()),
            "risk_at_coverage": risk_at_coverage(report.confidences()),
        },
        "errors": dict(report.codes()),
        "bound_or_declined": report.bind_rate(),
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "money": report.money,
        "seconds": round(report.seconds, 2),
        "seconds_a_question": {"median": round(median, 4), "p95": round(p95, 4)},
    }


def part_fields(part: Sequence[ScoredAnswer]) -> dict[str, Any]:
    """Return the accuracy of some questions, and the count of each outcome that occurs."""
    counts = {outcome: sum(scored.outcome == outcome for scored in part) for outcome in OUTCOMES}
    occurring = {outcome: count for outcome, count in counts.items() if count}
    return {"questions": len(part), "accuracy": counts[RIGHT] / max(len(part), 1), **occurring}


def answer_fields(report: Report, scored: ScoredAnswer) -> dict[str, Any]:
    """Return everything about one question and its answer as JSON values."""
    question, answer = scored.question, scored.answered
    return {
        "model": report.model,
        "line": question.line,
        "db": question.db,
        **({"dialogue": question.dialogue, "turn": question.turn} if question.dialogue is not None else {}),
        "question": question.question,
        "outcome": scored.outcome,
        "lenient": scored.lenient,
        "confidence": answer.confidence,
        "gold": question.sql,
        "sql": answer.sql,
        "difficulty": spider_difficulty(question.sql),
        "several_tables": scored.joins,
        "code": answer.code,
        "message": answer.message or scored.why,
        "difference": asdict(scored.difference) if scored.difference else None,
        "attempts": answer.attempts,
        "bound": answer.bound,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "seconds": round(answer.seconds, 4),
    }
