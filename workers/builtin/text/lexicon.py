"""English and Chinese words with a special role in schema linking."""

from __future__ import annotations

NUMBER_WORDS = (
    {
        word: number
        for number, word in enumerate(
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
        )
    }
    | {word: number for number, word in enumerate("零一二三四五六七八九十")}
    | {"两": 2}
)

# Words that multiply the number before them, unless a column's name says that it counts in that unit.
SCALES = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "百": 100,
    "千": 1_000,
    "万": 10_000,
    "亿": 100_000_000,
}

# Words in lower case that a capitalised name may contain.
SMALL_WORDS = frozenset({"of", "the", "de", "and", "in", "for", "at", "on", "&", "-", ".", "la", "van", "von"})

_PLAIN = """
a an the of in on at by for from to with and or not is are was were be do does did have has had what which who whose
how many much show find list give tell me all any each every most least more less than that this these those it its
they their them there name names id ids number count average total maximum minimum max min first last no different
distinct same one other also please return i you we my as if so per type code date year age
"""
_PLAIN_CJK = (
    "的有哪是多少些个出呢么名们最什这他我列它所一在中了那和其每都不吗请给按为用里到以上下大小高低年月日号人学家数分时"
)
# Words that do not name a cell by themselves, unless they are capitalised inside a sentence.
PLAIN_WORDS = frozenset([*_PLAIN.split(), *_PLAIN_CJK])

_IGNORED = "of the a an in on to for and or by is are at with from as s what which who that"
IGNORED = frozenset(_IGNORED.split())  # Words that do not name a column by themselves.

_FEMALE = ("f", "female", "woman", "women", "girls")
_MALE = ("m", "male", "man", "men", "boys")
YES_NO = ("是", "否")
# The cells of a column such as `sex` that a word means.
GENDERS = {
    "男": ("男", "男性", "m", "male"),
    "女": ("女", "女性", "f", "female"),
    **dict.fromkeys(["female", "females", "woman", "women", "girl", "girls", "lady", "ladies"], _FEMALE),
    **dict.fromkeys(["male", "males", "man", "men", "boy", "boys", "gentleman", "gentlemen"], _MALE),
}
GENDER_NAMES = ("sex", "gender", "性别")
