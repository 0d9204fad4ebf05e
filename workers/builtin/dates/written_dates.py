"""Dates as people write them: "1 June 2025", "June 1st, 2025", "2025年6月1日"."""

from __future__ import annotations

import re
from datetime import date

_MONTH_NAMES = "january february march april may june july august september october november december"
MONTHS = _MONTH_NAMES.split()
MONTH = "|".join(f"{month}|{month[:3]}" if len(month) > 3 else month for month in MONTHS)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>[12]\d{3})"
FORMS = (
    re.compile(rf"\b(?:the\s+)?{_DAY}\s+(?:of\s+)?(?P<month>{MONTH})\.?,?\s+{_YEAR}\b", re.IGNORECASE),
    re.compile(rf"\b(?P<month>{MONTH})\.?\s+(?:the\s+)?{_DAY},?\s+{_YEAR}\b", re.IGNORECASE),
    re.compile(r"(?P<year>[12]\d{3})年(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号]"),
)


def with_iso_dates(text: str) -> str:
    """Return a text with its written dates as 2025-06-01; what is no date of the calendar stays."""
    for form in FORMS:
        text = form.sub(_iso, text)
    return text


def month_number(text: str) -> int:
    """Return the number of a month from its number, its English name or the first three letters of it."""
    return int(text) if text.isdigit() else next(n for n, name in enumerate(MONTHS, 1) if name[:3] == text[:3].lower())


def _iso(match: re.Match[str]) -> str:
    try:
        return date(int(match["year"]), month_number(match["month"]), int(match["day"])).isoformat()
    except ValueError:
        return match.group()
