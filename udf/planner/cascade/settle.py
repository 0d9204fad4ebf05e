"""Settling a population: a method is found and calibrated, the model answers the rest, and a report is written."""

from __future__ import annotations

from ....workers.messages import Request
from ...accuracy.proxy_thresholds import Calibration, Decision
from ...accuracy.stand_in import AccuracyReport, StandIn
from ...session.session import Session
from .helper import by_helper
from .pairs import by_labels
from .proxy import by_proxy
from .rows import Method, Population, SampledRows

FEWEST = 100
"""Rows below which the model answers all: a sample would be most of them."""


def settle(session: Session, population: Population) -> None:
    """Answer the rows of a population: some by a helper or a proxy, the rest by the model.

    A promise holds for one population. Rows that the statement needs later are all answered by the model.

    Args:
        session: whose statement is planned.
        population: the rows.

    Raises:
        SetupError, StoreError, BudgetError: as `CachingClient.complete`.
    """
    statement, rows = session.statement, SampledRows(session, population)
    report = statement.accuracy_reports.get(population.key)
    if report is not None and report.inputs >= FEWEST:
        _settle_later_rows(rows, report)
        return
    method = _method(rows) if population.is_missing else "every answer was cached"
    decision = _calibrate(rows, method) if isinstance(method, Method) else Decision()
    rows.label(row for row in range(len(rows)) if row not in decision.taken)
    if isinstance(method, Method):
        statement.stand_ins.setdefault(population.call, {}).update(_stand_ins(rows, decision, method))
    statement.accuracy_reports[population.key] = _report(rows, decision, method)


def _settle_later_rows(rows: SampledRows, report: AccuracyReport) -> None:
    stand_ins = rows.session.statement.stand_ins.get(rows.call, {})
    rows.label(row for row, request in enumerate(rows.requests) if request not in stand_ins)
    report.inputs = max(report.inputs, len(rows))
    report.by_model = report.inputs - report.by_helper - report.by_proxy


def _stand_ins(rows: SampledRows, decision: Decision, method: Method) -> dict[Request, StandIn]:
    confidence = method.proposal.confidence()
    return {
        rows.requests[row]: StandIn(value, method.by, round(float(confidence[row]), 4))
        for row, value in decision.taken.items()
    }


def _method(rows: SampledRows) -> Method | str:
    """Return by what the model may be spared; or in words why by nothing."""
    stated = rows.call.stated
    if len(rows) < FEWEST:
        return f"there are fewer than {FEWEST} distinct inputs"
    if rows.call.function == "match" and (method := by_labels(rows)) is not None:
        return method
    if stated.helper is not None:
        return by_helper(rows, stated.helper)
    if stated.proxy is not None:
        return by_proxy(rows, stated.proxy)
    return "there is neither a helper nor a proxy"


def _calibrate(rows: SampledRows, method: Method) -> Decision:
    """Let the model answer a sample; return which of the method's answers can be taken over."""
    learned = {row: label for row, label in rows.labels.items() if row < method.start}
    calibration = Calibration(rows.call.stated.guarantee, method.proposal, learned, method.start, method.share)
    running = calibration.run()
    try:
        wanted = next(running)
        while True:
            wanted = running.send(rows.label(wanted))
    except StopIteration as ended:
        decision: Decision = ended.value
        return decision


def _report(rows: SampledRows, decision: Decision, method: Method | str) -> AccuracyReport:
    wanted, taken = rows.call.stated.guarantee, len(decision.taken)
    by = method.by if isinstance(method, Method) else None
    if isinstance(method, Method):
        reason = method.name if taken else f"{method.name} agrees too seldom with the model"
    else:
        reason = method
    report = AccuracyReport(
        model=rows.spec.name,
        function=f"ai_{rows.call.function}",
        question=rows.call.question or "",
        accuracy=wanted.accuracy,
        recall=wanted.recall,
        precision=wanted.precision,
        confidence=wanted.confidence,
        inputs=len(rows),
        by_model=len(rows) - taken,
        by_helper=taken if by == "helper" else 0,
        by_proxy=taken if by == "proxy" else 0,
        sampled=decision.sampled,
        estimated_accuracy=1.0 - decision.wrong / max(1, len(rows)),
        reason=reason,
    )
    if rows.call.is_filter:
        answers = {**rows.labels, **decision.taken}
        passing = sum(answer is True for answer in answers.values())
        right, lost = passing - decision.wrongly_true, decision.wrong - decision.wrongly_true
        report.estimated_recall = right / (right + lost) if right + lost > 0 else 1.0
        report.estimated_precision = right / passing if passing else 1.0
    return report
