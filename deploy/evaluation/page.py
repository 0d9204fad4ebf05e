"""The page of an evaluation: one file of HTML with pictures and every question, which needs no network."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from ...udf.text2sql.evaluation.difficulty import spider_difficulty
from ...udf.text2sql.evaluation.report import Comparison, Report
from ...udf.text2sql.evaluation.scoring import OUTCOMES, RIGHT, ScoredAnswer
from .run import judged_fields, part_fields

TEMPLATE = Path(__file__).with_suffix(".html")
COLOURS = 6
BINS = 24
LONGEST = 4000
"""Letters of an answer or a message that the page shows."""


def render_page(reports: Sequence[Report], compared: Sequence[Comparison]) -> str:
    """Return the page.

    Args:
        reports: one a model, of the same suite.
        compared: the models' comparisons.
    """
    sections = [
        _head(reports),
        _section("Right, by part", _parts(reports)),
        _section("What came out", _outcomes(reports)),
        _section("Seconds a question", _seconds(reports)),
        _section("Cost", _costs(reports)),
        _section("Do the models differ?", _compared(compared)) if compared else "",
        _section("Left out", _left_out(reports[0])) if reports[0].left_out else "",
    ]
    # Inside a script element nothing but its end is special.
    data = json.dumps(_data(reports), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    title = escape(f"{reports[0].suite}: {', '.join(report.model for report in reports)}")
    return Template(TEMPLATE.read_text("utf-8")).substitute(title=title, body="\n".join(sections), data=data)


def _section(title: str, body: str) -> str:
    return f"<h2>{title}</h2>\n<div class='card'>{body}</div>"


def _colour(number: int) -> str:
    return f"--c: var(--m{number % COLOURS})"


def _named(number: int, report: Report) -> str:
    return f"<span class='dot' style='{_colour(number)}'></span>{escape(report.model)}"


def _head(reports: Sequence[Report]) -> str:
    cards = []
    for number, report in enumerate(reports):
        right, asked = report.counts()[RIGHT], len(report.judged)
        stopped = f", stopped before {report.unasked} more" if report.unasked else ""
        name = f"<span class='name'>{_named(number, report)}</span>"
        cards.append(
            f"<div class='card'>{name}<b>{100 * report.accuracy():.1f} %</b>"
            f"<span class='soft'>{right} of {asked} questions right{stopped}</span></div>"
        )
    told = "Execution accuracy: the SQL gives what the right SQL gives, or says the same where there are no rows."
    title = f"<h1>{escape(reports[0].suite)}</h1><p class='soft'>{told}</p>"
    return f"{title}<div class='cards'>{''.join(cards)}</div>"


def _parts(reports: Sequence[Report]) -> str:
    parts = [report.parts() for report in reports]
    rows = []
    for name in parts[0]:
        bars = "".join(_bar(number, found.get(name, ())) for number, found in enumerate(parts))
        count = f"<span class='soft'> {len(parts[0][name])}</span>"
        rows.append(f"<div class='part'><div>{escape(name)}{count}</div><div>{bars}</div></div>")
    return _legend(reports) + "".join(rows)


def _legend(reports: Sequence[Report]) -> str:
    names = "".join(f"<span>{_named(number, report)}</span>" for number, report in enumerate(reports))
    return f"<div class='legend'>{names}</div>"


def _bar(number: int, part: Sequence[ScoredAnswer]) -> str:
    share = 100 * part_fields(part)["accuracy"]
    right = sum(one.outcome == RIGHT for one in part)
    fill = f"<div class='fill' style='width: {share:.2f}%; {_colour(number)}'></div>"
    return f"<div class='bar'><div class='track'>{fill}</div><div class='figure'>{share:.1f} % ({right})</div></div>"


def _outcomes(reports: Sequence[Report]) -> str:
    counts = [report.counts() for report in reports]
    kinds = [(number, name) for number, name in enumerate(OUTCOMES) if any(count[name] for count in counts)]
    legend = "".join(f"<span><span class='dot' style='--c: var(--o{n})'></span>{name}</span>" for n, name in kinds)
    rows = []
    for report, count in zip(reports, counts, strict=True):
        share = 100 / max(count.total(), 1)
        pieces = "".join(
            f"<i style='width: {count[name] * share:.3f}%; --c: var(--o{n})' title='{name}: {count[name]}'></i>"
            for n, name in kinds
        )
        rows.append(f"<div class='part'><div>{escape(report.model)}</div><div class='stack'>{pieces}</div></div>")
    names = [name for _, name in kinds]
    cells = ([r.model, *(str(count[name]) for name in names)] for r, count in zip(reports, counts, strict=True))
    codes = "; ".join(f"{escape(report.model)}: {_codes(report)}" for report in reports if report.codes())
    told = f"<p class='soft'>Errors by code. {codes}</p>" if codes else ""
    return f"<div class='legend'>{legend}</div>{''.join(rows)}{_table(['', *names], cells)}{told}"


def _codes(report: Report) -> str:
    return ", ".join(f"{count} × {escape(code)}" for code, count in report.codes().most_common())


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are numbers."""
    kinds = ["", *[" class='number'"] * (len(heads) - 1)]
    head = "".join(f"<th{kind}>{escape(text)}</th>" for kind, text in zip(kinds, heads, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{escape(text)}</td>' for kind, text in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _seconds(reports: Sequence[Report]) -> str:
    """Return how long questions took: a histogram a model, on one logarithmic axis."""
    waits = [[one.answered.seconds for one in report.judged if one.answered.seconds > 0] for report in reports]
    everything = [second for found in waits for second in found]
    if not everything:
        return "<p class='soft'>No model took any time: nothing was asked.</p>"
    low, high = math.log10(min(everything)), math.log10(max(everything))
    width = (high - low) / BINS or 1.0
    pictures = []
    for number, (report, found) in enumerate(zip(reports, waits, strict=True)):
        bins = [0] * BINS
        for second in found:
            bins[min(int((math.log10(second) - low) / width), BINS - 1)] += 1
        most = max(bins) or 1
        bars = "".join(
            f"<i style='height: {100 * count / most:.1f}%; {_colour(number)}' "
            f"title='{count} below {10 ** (low + (place + 1) * width):.3g} s'></i>"
            for place, count in enumerate(bins)
        )
        ticks = "".join(f"<span>{10 ** (low + share * (high - low)):.2g} s</span>" for share in (0, 0.25, 0.5, 0.75, 1))
        pictures.append(
            f"<div><p>{_named(number, report)}</p><div class='bins'>{bars}</div><div class='ticks'>{ticks}</div></div>"
        )
    return f"<div class='pictures'>{''.join(pictures)}</div>"


def _costs(reports: Sequence[Report]) -> str:
    heads = ["", "tokens read", "tokens written", "money", "seconds", "median", "95 % below", "binds or declined"]
    rows = []
    for report in reports:
        read, written = report.tokens()
        median, most = report.latency_quantiles()
        money = "not known" if report.money is None else f"{report.money:.4g}"
        seconds = [f"{report.seconds:.1f}", f"{median:.3f}", f"{most:.3f}"]
        rows.append([report.model, f"{read:,}", f"{written:,}", money, *seconds, f"{100 * report.bind_rate():.1f} %"])
    told = "Seconds of all questions together, with those that were known already; median and 95 % of one question."
    return f"{_table(heads, rows)}<p class='soft'>{told}</p>"


def _compared(compared: Sequence[Comparison]) -> str:
    heads = ["", "both right", "only the first", "only the second", "neither", "p"]
    rows = [
        [f"{one.one} | {one.other}", *map(str, (one.both, one.only_one, one.only_other, one.neither)), f"{one.p:.3g}"]
        for one in compared
    ]
    words = "".join(f"<p>{escape(one.one)} and {escape(one.other)}: {escape(str(one))}.</p>" for one in compared)
    return _table(heads, rows) + words


def _left_out(report: Report) -> str:
    lines = "".join(
        f"<li>line {one.line} ({escape(one.kind)}): {escape(one.why[:LONGEST])}</li>" for one in report.left_out[:200]
    )
    more = f"<p>and {len(report.left_out) - 200} more</p>" if len(report.left_out) > 200 else ""
    return f"<p>{len(report.left_out)} lines hold no question that can be judged.</p><ul>{lines}</ul>{more}"


def _data(reports: Sequence[Report]) -> dict[str, Any]:
    """Return the questions as the page's script reads them: those that every model was asked."""
    answers = [{id(judged.question): judged for judged in report.judged} for report in reports]

    def of_all(judged: ScoredAnswer) -> list[dict[str, Any]]:
        found = zip(answers, reports, strict=True)
        return [_answer(known[id(judged.question)], report) for known, report in found]

    shared = [one for one in reports[0].judged if all(id(one.question) in known for known in answers)]
    return {
        "models": [report.model for report in reports],
        "outcomes": OUTCOMES,
        "questions": [{**_question(one, reports[0]), "answers": of_all(one)} for one in shared],
    }


def _question(judged: ScoredAnswer, report: Report) -> dict[str, Any]:
    question = judged.question
    parts = ["several tables" if judged.joins else "one table", spider_difficulty(question.sql) or ""]
    if question.dialogue is not None and len(report.turns) > 1:
        parts.append(f"turn {report.turns[question.turn]}")
    where = " · ".join(part for part in (question.db, parts[1], f"line {question.line}") if part)
    return {"question": question.question, "gold": question.sql, "db": question.db, "parts": parts, "where": where}


def _answer(judged: ScoredAnswer, report: Report) -> dict[str, Any]:
    fields = judged_fields(report, judged)
    kept = {name: fields[name] for name in ("outcome", "sql", "code", "attempts", "seconds", "difference")}
    return {**kept, "message": fields["message"][:LONGEST]}
