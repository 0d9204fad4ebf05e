"""Writes the list of general words: words that questions about many databases have and their SQL does not need.

QUACKLLM_DATA=/path/to/data python -m quackllm.udf.text2sql.builtin_training.general_words
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby

from ....workers.builtin.knowing.word_coverage import GENERAL, content_words, word_coverage
from ....workers.builtin.network.schema_linking import SchemaLinks, link
from ....workers.builtin.query.from_sql import UnsupportedSqlError, parse_sql
from ....workers.builtin.query.implied_tables import drop_implied_tables
from ....workers.builtin.schema.schema_index import SchemaIndex
from ....workers.builtin.text.tokens import is_cjk, stem
from ....workers.database_schema import Schema
from ..evaluation.datasets import Question, load_questions, load_schema
from ..schema.resolve import resolve_schema

MANY, MANY_CHINESE = 6, 5  # In so many databases a word is left out of the SQL.
_NEVER = """
recent recently popular report 今年 最近 现在 目前 上海 北京 杭州 中国 我国 世界 腾讯 公司 
学生 同学 互联网 历史 市场 工作
阿 尔 丽 玛 特 斯
李 罗 顾 火 猫 红 明 钱
"""
# Words of events, superlatives and counting that the training questions have too rarely.
_ALWAYS = """
plac took tak come came com happen occur occurr bought brought sold
biggest heaviest lightest cheapest newest earliest priciest
下过 发过 发 做过 几名 几位 几间 间 名 笔 单 张 位 画
"""
ALWAYS = frozenset(_ALWAYS.split())
NEVER = frozenset(_NEVER.split())  # Words of time, places and things, whatever the counts say.


def general_words(asked: list[Question]) -> list[str]:
    """Return the stems of the words that the queries of many databases leave out."""
    databases: dict[str, set[str]] = defaultdict(set)
    for database, group in groupby(sorted(asked, key=lambda one: one.db), key=lambda one: one.db):
        questions = list(group)
        text = questions[0].schema
        names = SchemaIndex(resolve_schema(text, Schema()).schema if text else load_schema(database))
        links = SchemaLinks(names)
        for question in questions:
            try:
                tree = drop_implied_tables(parse_sql(question.sql, names), names)
            except (UnsupportedSqlError, KeyError):
                continue
            linked = link(question.question, links)
            left_out = set(word_coverage(linked, links, tree).unplaced)
            for word, _ in content_words(linked):
                if word in left_out:
                    databases[stem(word)].add(database)
    return sorted(
        w for w, found in databases.items() if w not in NEVER and len(found) >= (MANY_CHINESE if is_cjk(w) else MANY)
    )


def main() -> None:
    """Write the file."""
    GENERAL.unlink(missing_ok=True)
    asked = load_questions("spider", "train") + [one for one in load_questions("cosql", "train") if not one.turn]
    words = general_words(asked) + general_words([one for one in load_questions("chase_zh", "train") if not one.turn])
    GENERAL.write_text("\n".join(sorted({*words, *ALWAYS})) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
