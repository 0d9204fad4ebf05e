"""Finds words of time: spans relative to today or of a year, and the unit of time by which to group.

The network never sees these words: they are cut out of the question, and the query gets the condition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from ..text.lexicon import NUMBER_WORDS
from .written_dates import MONTH, month_number, with_iso_dates

UNITS = {
    "day": "day|days|天|日",
    "week": "week|weeks|周|星期|礼拜",
    "month": "month|months|月",
    "quarter": "quarter|quarters|季度|季",
    "year": "year|years|年",
}
TODAY = "current_date"
_NUMBER = r"\d{1,4}|" + "|".join(word for word in NUMBER_WORDS if word.isascii())
_CJK_NUMBER = r"\d{1,4}|[一二三四五六七八九十两]"
_UNIT = "days?|weeks?|months?|quarters?|years?"
_CJK_UNIT = "天|日|周|星期|礼拜|月|季度|季|年"
_ISO = r"\d{4}-\d{1,2}-\d{1,2}"


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A span of time.

    Args:
        begin, end: SQL of the first moment, and of the first moment after the span; '' if open.
        words: the question's words.
        year: the year, if the span is one whole year: for columns that are years; `current` if relative to this year.
        plain: whether the words are absolute, so that the network may have read them as constants itself.
    """

    begin: str
    end: str
    words: str
    year: str = ""
    plain: bool = False


@dataclass(frozen=True, slots=True)
class TimePhrases:
    """A question without its words of time, and what they say.

    Args:
        rest: the question without them.
        span: the span of time, or None.
        unit: the unit of time to group by, e.g. 'month'; '' for none.
        words: the words that were cut out.
    """

    rest: str
    span: TimeSpan | None = None
    unit: str = ""
    words: tuple[str, ...] = ()


def find_time_phrases(question: str) -> TimePhrases:
    """Return the words of time of a question."""
    rest, words = with_iso_dates(question), []
    span: TimeSpan | None = None
    for pattern, make in SPANS:
        if (match := pattern.search(rest)) and (span := _made(make, match)):
            words.append(span.words)
            rest = _without(rest, match)
            break
    unit = ""
    for pattern in GROUPINGS:
        if match := pattern.search(rest):
            unit = _unit(next(group for group in match.groups() if group))
            words.append(match.group().strip())
            rest = _without(rest, match)
            break
    return TimePhrases(rest, span, unit, tuple(words)) if re.search(r"\w", rest) else TimePhrases(question)


def _made(make: Callable[[re.Match[str]], TimeSpan], match: re.Match[str]) -> TimeSpan | None:
    """Return the span of a match; None for a date that no calendar has, and for one of several days."""
    try:
        return make(match)
    except ValueError:
        return None


def find_yearless_month(question: str) -> str:
    """Return the words that name a month without its year, such as "in March"; '' for none."""
    match = YEARLESS_MONTH.search(question)
    return match.group() if match else ""


def _without(text: str, match: re.Match[str]) -> str:
    before, after = text[: match.start()], text[match.end() :]
    joined = f"{before.rstrip()} {after.lstrip()}" if before and after.strip(" ?.!。？！") else before + after.lstrip()
    return re.sub(r"\s+([?.,!])", r"\1", re.sub(r"^\s*(的|，|,|、)", "", joined)).strip()


def _unit(text: str) -> str:
    text = re.sub(r"ly$", "", text.lower())
    text = {"dai": "day", "annual": "year", "按": "", "annually": "year"}.get(text, text)
    return next(unit for unit, forms in UNITS.items() if re.fullmatch(forms, text))


def _count(text: str) -> int:
    return int(text) if text.isdigit() else NUMBER_WORDS[text.lower()]


def _start(unit: str, back: int = 0) -> str:
    """Return the SQL of the start of the current unit of time, `back` units ago."""
    start = f"date_trunc('{unit}', {TODAY})"
    if not back:
        return start
    sign, number = ("-", back) if back > 0 else ("+", -back)
    return f"{start} {sign} INTERVAL {number * 3 if unit == 'quarter' else number} {_interval(unit)}"


def _interval(unit: str) -> str:
    return "MONTH" if unit == "quarter" else unit.upper()


def _whole(unit: str, back: int, words: str) -> TimeSpan:
    """Return a whole day, week, month, quarter or year: this one, or one so many before."""
    if unit == "day":
        begin, end = (f"{TODAY} - {back}" if back else TODAY), (f"{TODAY} - {back - 1}" if back > 1 else TODAY)
        return TimeSpan(begin, end if back else f"{TODAY} + 1", words)
    year = f"year({TODAY})" + (f" - {back}" if back else "") if unit == "year" else ""
    return TimeSpan(_start(unit, back), _start(unit, back - 1), words, year)


def _past(count: int, unit: str, words: str) -> TimeSpan:
    number = count * 3 if unit == "quarter" else count
    return TimeSpan(f"{TODAY} - INTERVAL {number} {_interval(unit)}", "", words)


def _this_or_last(match: re.Match[str]) -> TimeSpan:
    unit = _unit(match["unit"])
    return _whole(
        unit, 0 if match["which"].lower() in ("this", "current", "本", "这", "这个", "当") else 1, match.group()
    )


def _cjk_year(match: re.Match[str]) -> TimeSpan:
    return _whole("year", {"今": 0, "去": 1, "前": 2}[match[1]], match.group())


def _named_day(match: re.Match[str]) -> TimeSpan:
    back = 1 if match.group().strip().lower() in ("yesterday", "昨天", "昨日") else 0
    return _whole("day", back, match.group())


def _in_year(match: re.Match[str]) -> TimeSpan:
    year = next(group for group in match.groups() if group)
    return TimeSpan(_day(int(year), 1, 1), _day(int(year) + 1, 1, 1), match.group(), year, plain=True)


def _in_month(match: re.Match[str]) -> TimeSpan:
    year, month = int(match["year"]), month_number(match["month"])
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    return TimeSpan(_day(year, month, 1), _day(*after, 1), match.group(), plain=True)


def _in_quarter(match: re.Match[str]) -> TimeSpan:
    text = next(one for one in (match["quarter"], match.groupdict().get("ordinal")) if one)
    number = int(text) if text.isdigit() else "一二三四".index(text) + 1
    year, month = int(match["year"]), 3 * number - 2
    after = (year + 1, 1) if number == 4 else (year, month + 3)
    return TimeSpan(_day(year, month, 1), _day(*after, 1), match.group(), plain=True)


EARLY = ("before", "until", "by", "以前", "之前", "前")
INCLUSIVE = ("since", "from", "starting", "以来", "起", "以后", "之后", "后")


def _before_or_after(match: re.Match[str]) -> TimeSpan:
    groups = match.groupdict()
    if groups.get("today"):
        early = groups["sign"].lower() in EARLY
        return TimeSpan("", TODAY, match.group()) if early else TimeSpan(f"{TODAY} + 1", "", match.group())
    return _open_span(match, *_moments(groups["date"]))


def _before_or_after_month(match: re.Match[str]) -> TimeSpan:
    month = _in_month(match)
    return _open_span(match, month.begin, month.end)


def _open_span(match: re.Match[str], first: str, after: str) -> TimeSpan:
    """Return the time before or after a span, which begins on the day `first` and ends before the day `after`."""
    sign = match["sign"].lower()
    if sign in EARLY:
        return TimeSpan("", first, match.group(), plain=True)
    return TimeSpan(first if sign in INCLUSIVE else after, "", match.group(), plain=True)


def _between(match: re.Match[str]) -> TimeSpan:
    return TimeSpan(_moments(match["first"])[0], _moments(match["last"])[1], match.group(), plain=True)


def _on_day(match: re.Match[str]) -> TimeSpan:
    if len(re.findall(_ISO, match.string)) > 1:
        raise ValueError("several days are several constants")
    begin, end = _moments(match["day"])
    return TimeSpan(begin, end, match.group(), plain=True)


def _moments(text: str) -> tuple[str, str]:
    """Return the first day of a date or year, and the first day after it."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if len(numbers) == 1:
        return _day(numbers[0], 1, 1), _day(numbers[0] + 1, 1, 1)
    first = date(numbers[0], numbers[1], numbers[2])
    after = first + timedelta(days=1)
    return _day(first.year, first.month, first.day), _day(after.year, after.month, after.day)


def _day(year: int, month: int, day: int) -> str:
    return f"DATE '{year:04}-{month:02}-{day:02}'"


Spans = tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], TimeSpan]], ...]


def _spans() -> Iterator[tuple[str, Callable[[re.Match[str]], TimeSpan]]]:
    yield (
        rf"\b(?:between|from)\s+(?P<first>{_ISO}|[12]\d{{3}})\s+(?:and|to|until|through)\s+(?P<last>{_ISO}|[12]\d{{3}})\b",
        _between,
    )
    yield rf"(?:在)?(?P<first>{_ISO})(?:到|至|和)(?P<last>{_ISO})(?:之间|期间)?", _between
    yield r"(?:在)?(?P<first>[12]\d{3})年?(?:到|至)(?P<last>[12]\d{3})年(?:之间|期间)?", _between
    yield (
        rf"\b(?P<sign>before|until|after|since|starting)\s+(?:(?P<today>today)|(?P<date>{_ISO}|[12]\d{{3}}))\b",
        _before_or_after,
    )
    yield (
        rf"(?:在)?(?:(?P<today>今天)|(?P<date>{_ISO}|[12]\d{{3}}年))(?P<sign>以前|之前|前|以后|之后|后|以来|起)",
        _before_or_after,
    )
    yield r"(?:早于|在)(?P<today>今天)(?P<sign>以前|之前|前)?", lambda match: TimeSpan("", TODAY, match.group())
    yield (
        rf"\b(?P<sign>before|until|after|since|starting)\s+(?P<month>{MONTH})\.?,?\s+(?:of\s+)?(?P<year>[12]\d{{3}})\b",
        _before_or_after_month,
    )
    yield (
        r"(?:在)?(?P<year>[12]\d{3})年(?P<month>\d{1,2})月份?(?P<sign>以前|之前|前|以后|之后|后|以来|起)",
        _before_or_after_month,
    )
    past = r"\b(?:in|over|during|within|for|of)?\s*(?:the\s+)?(?:last|past|previous|recent)"
    yield (
        rf"{past}\s+(?P<count>{_NUMBER})\s+(?P<unit>{_UNIT})\b",
        lambda match: _past(_count(match["count"]), _unit(match["unit"]), match.group()),
    )
    yield (
        rf"(?:在)?(?:最近|过去|近|前)(?P<count>{_CJK_NUMBER})个?(?P<unit>{_CJK_UNIT})(?:内|里|之内|以来|中)?",
        lambda match: _past(_count(match["count"]), _unit(match["unit"]), match.group()),
    )
    yield (
        r"\b(?:in|during|for|of|from)?\s*(?:the\s+)?\b(?P<which>last|this|previous|past|current)\s+(?P<unit>day|week|month|quarter|year)\b(?:'s)?",
        _this_or_last,
    )
    yield r"(?:在)?(?P<which>上|本|这|当)个?(?P<unit>周|星期|月|季度|季|年)(?!\w*均)", _this_or_last
    yield r"(?:在)?([今去前])年", _cjk_year
    yield r"\b(?:from\s+)?(?:today|yesterday)\b|今天|今日|昨天|昨日", _named_day
    yield (
        rf"(?<!\d\s)\b(?:(?:in|of|during|for)\s+)?(?P<month>{MONTH})\.?,?\s+(?:of\s+)?(?P<year>[12]\d{{3}})\b",
        _in_month,
    )
    yield r"(?:在)?(?P<year>[12]\d{3})年(?P<month>\d{1,2})月(?!\d)", _in_month
    yield (
        r"\b(?:in|of|during|for)?\s*(?:the\s+)?(?:q(?P<quarter>[1-4])|(?P<ordinal>[1-4])(?:st|nd|rd|th)\s+quarter)(?:\s+of)?\s+(?P<year>[12]\d{3})\b",
        _in_quarter,
    )
    yield r"(?:在)?(?P<year>[12]\d{3})年第?(?P<quarter>[1-4一二三四])季度?", _in_quarter
    yield (
        rf"(?:\b(?:on|of|from|for)\s+|在)?(?<![\d-])(?P<day>{_ISO})(?![\d-]|[T ]\d{{1,2}}:)(?:当天|这天|那天)?",
        _on_day,
    )
    yield r"\b(?:in|during|for)\s+(?:the\s+year\s+)?([12]\d{3})\b(?!-)", _in_year
    # "each month of 2026"; "a capacity of 2000" is no year.
    yield r"(?:(?<=\bmonth )|(?<=months )|(?<=\bquarter )|(?<=quarters )|(?<=\bweek ))of\s+([12]\d{3})\b(?!-)", _in_year
    yield r"(?:在)?([12]\d{3})年(?:度|内)?", _in_year


SPANS: Spans = tuple((re.compile(pattern, re.IGNORECASE), make) for pattern, make in _spans())
YEARLESS_MONTH = re.compile(
    rf"\b(?:in|during|since|before|after|until)\s+(?:{MONTH})\b(?!\.?,?\s*(?:of\s+)?(?:the\s+)?[\d'’])"
    r"|(?<![\d年第一二三四五六七八九十])(?:1[0-2]|[1-9]|十[一二]|[一二三四五六七八九十])月份?(?![\d一二三四五六七八九十初底末])",
    re.IGNORECASE,
)
_EACH = "grouped by|by|per|for each|in each|each|every|for every|in every"
GROUPINGS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:{_EACH})\s+(?:calendar\s+)?(day|week|month|quarter|year)\b",
        r"\b(daily|weekly|monthly|quarterly|yearly)\b",
        r"(?:按|每个?|各)(天|日|周|星期|月|季度|季|年)(?:度|份)?(?:统计)?(?!龄|级|薪|均|纪)",
    )
)
