"""Invented tables and questions about them in two languages, for the story told small."""

from __future__ import annotations

from collections.abc import Iterator

Row = dict[str, str]
Column = tuple[str, str, str]
"""A name in English, in Chinese, and a type."""

NAME, NUMBER = "VARCHAR", "INTEGER"
THINGS: tuple[tuple[str, str, tuple[Column, Column, Column]], ...] = (
    ("duck", "鸭子", (("name", "名字", NAME), ("colour", "颜色", NAME), ("weight", "重量", NUMBER))),
    ("book", "图书", (("title", "书名", NAME), ("author", "作者", NAME), ("price", "价格", NUMBER))),
    ("river", "河流", (("name", "名字", NAME), ("country", "国家", NAME), ("length", "长度", NUMBER))),
    ("shop", "商店", (("address", "地址", NAME), ("owner", "店主", NAME), ("rent", "租金", NUMBER))),
    ("film", "电影", (("title", "片名", NAME), ("director", "导演", NAME), ("budget", "预算", NUMBER))),
    ("bridge", "桥梁", (("place", "地点", NAME), ("builder", "建造者", NAME), ("height", "高度", NUMBER))),
    ("train", "火车", (("line", "线路", NAME), ("driver", "司机", NAME), ("speed", "速度", NUMBER))),
    ("garden", "花园", (("town", "城镇", NAME), ("keeper", "园丁", NAME), ("area", "面积", NUMBER))),
)
TESTED = ("train", "garden")
"""No question about these is trained on."""

PATTERNS = (
    ("How many {thing}s are there?", "有多少{thing}？", 'SELECT COUNT(*) FROM "{thing}"'),
    ("List the {one} of all {thing}s.", "列出所有{thing}的{one}。", 'SELECT "{one}" FROM "{thing}"'),
    ("Show the {two} of every {thing}.", "显示每个{thing}的{two}。", 'SELECT "{two}" FROM "{thing}"'),
    (
        "What is the average {number} of {thing}s?",
        "{thing}的平均{number}是多少？",
        'SELECT AVG("{number}") FROM "{thing}"',
    ),
    (
        "What is the highest {number} of {thing}s?",
        "{thing}的最高{number}是多少？",
        'SELECT MAX("{number}") FROM "{thing}"',
    ),
    (
        "List the {one} of {thing}s with {number} above 20.",
        "列出{number}超过20的{thing}的{one}。",
        'SELECT "{one}" FROM "{thing}" WHERE "{number}" > 20',
    ),
)


def invented(language: int, *, tested: bool) -> Iterator[Row]:
    """Yield questions with their SQL and schema.

    Args:
        language: 0 for English, 1 for Chinese.
        tested: those to test on, or those to train on.
    """
    for english, chinese, columns in THINGS:
        if (english in TESTED) == tested:
            words = {"thing": (english, chinese)[language]}
            words |= {place: column[language] for place, column in zip(("one", "two", "number"), columns, strict=True)}
            fields = ", ".join(f'"{column[language]}" {column[2]}' for column in columns)
            ddl = f'CREATE TABLE "{words["thing"]}" ({fields});'
            for pattern in PATTERNS:
                yield {"question": pattern[language].format(**words), "sql": pattern[2].format(**words), "schema": ddl}
