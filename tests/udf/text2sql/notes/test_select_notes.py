"""Of long notes a model sees the sections that matter to the question."""

from __future__ import annotations

from quackllm.udf.text2sql.notes.select_notes import MAX_CHARACTERS, select_notes

FILLER = "".join(f"\n## Topic {number}\nthe warehouse of part {number} is counted by hand" for number in range(2_000))
CHURN = "## Churn\na customer has churned after 90 days without an order"
NOTES = f"# Conventions\namounts are in cents{FILLER}\n{CHURN}\n## 毛利\n毛利 = 收入 - 成本"


def test_short_notes_are_shown_whole() -> None:
    assert select_notes("any text", "any question") == "any text"


def test_the_section_about_the_question() -> None:
    shown = select_notes(NOTES, "How many customers churned last year?")
    assert "after 90 days" in shown
    assert "amounts are in cents" in shown
    assert len(shown) <= MAX_CHARACTERS


def test_a_chinese_question() -> None:
    assert "收入 - 成本" in select_notes(NOTES, "上个月的毛利是多少？")


def test_one_paragraph_without_an_end() -> None:
    assert len(select_notes("churn " * 1_000_000, "churn?")) <= MAX_CHARACTERS
