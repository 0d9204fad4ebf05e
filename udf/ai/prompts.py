"""Every prompt of the typed functions, in English and in Chinese: the task first, the row's input last.

Equal tasks have equal first messages, so that an engine which keeps prefixes reads each task once. `{question}` is what
the user asks: a predicate, labels, fields, criteria. A task that is asked in Chinese is put in Chinese.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True)
class Prompt:
    """A text in both languages."""

    english: str
    chinese: str

    def text(self, chinese: bool) -> str:
        """Return the text in one of them."""
        return self.chinese if chinese else self.english


TASKS = {
    "filter": Prompt(
        "Decide whether this is true of the input that the user sends: {question}\n"
        "Answer with one word, yes or no, and nothing else.",
        "判断下面这句话对用户发来的内容是否成立：{question}\n只回答一个字，是或否，不要写别的。",
    ),
    "match": Prompt(
        "The user sends a JSON object with the keys left and right. Decide whether this is true of the two: "
        "{question}\n"
        "Answer with one word, yes or no, and nothing else.",
        "用户会发来一个 JSON 对象，键为 left 和 right。判断下面这句话对两者是否成立：{question}\n"
        "只回答一个字，是或否，不要写别的。",
    ),
    "classify": Prompt(
        "Choose the one label that fits the input that the user sends. The labels:\n{question}\n"
        "Answer with the label exactly as it is written, and nothing else.",
        "为用户发来的内容选出最合适的一个标签。标签如下：\n{question}\n只回答标签本身，照原样写，不要写别的。",
    ),
    "labels": Prompt(
        "Choose every label that fits the input that the user sends. The labels:\n{question}\n"
        'Answer with a JSON object and nothing else: {{"labels": [the labels that fit, exactly as they are written]}}. '
        "Where none fits, the list is empty.",
        "为用户发来的内容选出所有合适的标签。标签如下：\n{question}\n"
        '只回答一个 JSON 对象：{{"labels": [合适的标签，照原样写]}}。都不合适时列表为空。不要写别的。',
    ),
    "score": Prompt(
        "Rate the input that the user sends by this criterion: {question}\n"
        "Answer with one number from {low} (not at all) to {high} (fully), and nothing else.",
        "按下面的标准给用户发来的内容打分：{question}\n"
        "只回答一个数，从 {low}（完全不符合）到 {high}（完全符合），不要写别的。",
    ),
    "score_digits": Prompt(
        "Rate the input that the user sends by this criterion: {question}\n"
        "Answer with one digit from 0 (not at all) to 9 (fully), and nothing else.",
        "按下面的标准给用户发来的内容打分：{question}\n"
        "只回答一个数字，从 0（完全不符合）到 9（完全符合），不要写别的。",
    ),
    "extract": Prompt(
        "Read these fields from the input that the user sends; each is given with its SQL type:\n{question}\n"
        "Answer with one JSON object with exactly these keys, and nothing else. What the input does not say is null.",
        "从用户发来的内容中读出下列字段，每个字段后面是它的 SQL 类型：\n{question}\n"
        "只回答一个 JSON 对象，键与上面完全相同，不要写别的。内容没有提到的写 null。",
    ),
    "each": Prompt(
        "Find every item in the input that the user sends; an item has these fields, each given with its SQL type:\n"
        '{question}\nAnswer with one JSON object and nothing else: {{"items": [one object with exactly these keys for '
        "each item]}}. What the input does not say is null; where there is no item, the list is empty.",
        "找出用户发来的内容中的每一项；每一项有下列字段，后面是它的 SQL 类型：\n{question}\n"
        '只回答一个 JSON 对象：{{"items": [每一项一个对象，键与上面完全相同]}}。'
        "没有提到的写 null；一项也没有时列表为空。",
    ),
    "value": Prompt(
        'Answer with one JSON object and nothing else: {{"value": the answer}}. The answer is of the SQL type '
        "{question}; "
        "it is null where you do not know it.",
        '只回答一个 JSON 对象：{{"value": 答案}}。答案的 SQL 类型是 {question}；不知道时写 null。不要写别的。',
    ),
    "complete": Prompt("", ""),
    "translate": Prompt(
        "Translate the text that the user sends into this language: {question}\nAnswer with the translation alone.",
        "把用户发来的文字翻译成：{question}\n只回答译文。",
    ),
    "mask": Prompt(
        "Copy the text that the user sends, with [MASKED] in place of everything of these kinds: {question}\n"
        "Answer with that text alone.",
        "照抄用户发来的文字，把下列种类的内容都换成 [MASKED]：{question}\n只回答这段文字。",
    ),
    "fix_grammar": Prompt(
        "Correct the grammar and spelling of the text that the user sends, and change nothing else.\n"
        "Answer with the corrected text alone, in its own language.",
        "改正用户发来的文字中的语法和错别字，其余不变。\n只用原文的语言回答改正后的文字。",
    ),
    "top": Prompt(
        "The user sends a JSON object with numbers and texts. Rank the texts by this criterion: {question}\n"
        'Answer with one JSON object and nothing else: {{"ranking": [all numbers, that of the best text first]}}.',
        "用户会发来一个 JSON 对象，由编号和文本组成。按下面的标准给文本排名：{question}\n"
        '只回答一个 JSON 对象：{{"ranking": [全部编号，最好的排在最前]}}。不要写别的。',
    ),
    "agg": Prompt(
        "The user sends a JSON list of texts. {question}\nAnswer from all of them, and leave none out.",
        "用户会发来一个 JSON 文本列表。{question}\n依据全部文本回答，不要遗漏。",
    ),
    "agg_answers": Prompt(
        "The user sends a JSON list of answers, each to this task about another part of the same texts: {question}\n"
        "Make of them the one answer about all the texts, in the same form, and leave none out.",
        "用户会发来一个 JSON 列表，每一项是就同一批文本的一部分对这个任务的回答：{question}\n"
        "把它们合成对全部文本的一个回答，形式不变，不要遗漏。",
    ),
}
PAIR_LABELS = Prompt(
    "The user sends a criterion about two inputs, left and right. Find out whether one label of each input, chosen "
    "without a look at the other one, decides the criterion.\n"
    'If so, answer with one JSON object and nothing else: {"labels": {each label: what it means}, "pairs": [[label of '
    "left, label of right] for every pair of labels that makes the criterion true]}.\n"
    'If not, answer {"labels": {}, "pairs": []}.',
    "用户会发来一个关于 left 和 right 两个输入的标准。判断能否分别给每个输入选一个标签（选的时候不看另一个输入），"
    "只凭两个标签就能断定标准是否成立。\n"
    '如果能，只回答一个 JSON 对象：{"labels": {每个标签: 它的含义}, "pairs": [[left 的标签, right 的标签]，'
    "列出所有使标准成立的标签对]}。\n"
    '如果不能，回答 {"labels": {}, "pairs": []}。',
)
SIDE_LABELS = Prompt(
    "Here is a criterion about two inputs, left and right: {criteria}\nThe user sends the {long} input. Choose every "
    "{short} input for which the criterion is true of the two:\n{values}\n"
    'Answer with a JSON object and nothing else: {{"labels": [those that fit, exactly as they are written]}}. '
    "Where none fits, the list is empty.",
    "这是一个关于 left 和 right 两个输入的标准：{criteria}\n用户会发来 {long}。"
    "从下面的 {short} 中选出所有使标准成立的：\n{values}\n"
    '只回答一个 JSON 对象：{{"labels": [选出的，照原样写]}}。都不合适时列表为空。不要写别的。',
)
QUOTES = Prompt(
    'Each key holds an object {"value": the value, "quote": the passage of the input that says so, copied word for '
    "word}.",
    '每个键对应一个对象 {"value": 值, "quote": 内容中说明它的那段原文，逐字照抄}。',
)
INSTRUCTIONS = Prompt("More about the task: {instructions}", "补充说明：{instructions}")
REPEAT = Prompt(
    "That cannot be used: {problem}. Answer once more, in the form that was asked for and nothing else.",
    "这个回答不能用：{problem}。请严格按要求的格式再回答一次，不要写别的。",
)
YES = ("yes", "true", "是", "是的", "对")
NO = ("no", "false", "否", "不是", "不对")
SENTIMENTS = ("positive", "negative", "neutral", "mixed")


def is_chinese(text: str) -> bool:
    """Whether there is a Chinese character in the text."""
    return bool(CHINESE.search(text))
