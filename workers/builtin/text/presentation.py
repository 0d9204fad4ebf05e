"""Words of presentation: "as a bar chart", "show me a graph of", "用图表显示". No part of a query stands for them."""

from __future__ import annotations

import re
from collections.abc import Collection

from .lexicon import IGNORED
from .tokens import is_cjk, read_words, stem

_KIND = r"(?:(?:bar|line|pie|column|area|scatter|stacked)\s+)?"
_CHART = _KIND + r"(?:chart|graph|plot|diagram|histogram|visuali[sz]ation)s?"
_CJK_CHART = "(?:柱状图|条形图|折线图|饼图|散点图|直方图|曲线图|走势图|图表|图形|图)"
_MAKE = r"(?:show|draw|make|create|give|plot|generate|display|build|produce)"
_CJK_AS, _CJK_SHOW = "(?:以|用|做成|画成|生成|绘制成)", "(?:显示|展示|表示|呈现|展现)"
_CJK_DRAW, _CJK_END = "(?:画出|画|绘制|生成|制作|做)", r"(?=[。？?！!]?\s*$)"
# Each pattern, and what stands in its place.
PHRASES = tuple(
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in (
        (rf"\b{_MAKE}\s+(?:me\s+|us\s+)?(?:an?\s+|the\s+)?{_CHART}\s+(?:of|for|with|showing|that shows)\s+", "Show "),
        (rf"^\s*(?:an?\s+)?{_CHART}\s+(?:of|for|showing)\s+", "Show "),
        (r"^\s*(?:plot|graph|chart|visuali[sz]e|draw)\s+(?!an?\b)", "Show "),
        (rf",?\s+(?:as|in|using|with)\s+an?\s+{_CHART}(?=\s*[?.!,]|\s*$)", ""),
        (r",?\s+(?:as|in)\s+an?\s+(?:table|list)(?=\s*[?.!]|\s*$)", ""),
        (rf"[，,]?\s*(?:请|并)?{_CJK_AS}(?:一[张个幅])?{_CJK_CHART}(?:的?形式)?(?:来?{_CJK_SHOW})?{_CJK_END}", ""),
        (rf"^\s*(?:请|帮我)*{_CJK_DRAW}(?:一[张个幅])?(.{{2,}}?)的?{_CJK_CHART}{_CJK_END}", r"\1"),
    )
)  # fmt: skip


def without_presentation(question: str, names: Collection[str]) -> str:
    """Return a question without its words of presentation; those that the schema has itself stay.

    Args:
        question: the text.
        names: the words of the schema's names and comments, in lower case.
    """
    known = {stem(name) for name in names if not is_cjk(name)}
    shorter = question
    for pattern, instead in PHRASES:
        match = pattern.search(shorter)
        if match and not known & {stem(word.lower) for word in read_words(match.group()) if word.lower not in IGNORED}:
            shorter = pattern.sub(instead, shorter)
    return shorter if re.search(r"\w", shorter) else question
