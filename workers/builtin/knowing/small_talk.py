"""Tells questions from what no query answers: greetings, thanks, orders to change data, other languages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..text.tokens import is_cjk, read_words
from ..text.word_meanings import word_meanings
from ..text.word_vectors import EMPTY_VECTORS, word_vectors

_SOCIAL_WORDS = """
hi hello hey hiya howdy yo greetings morning afternoon evening night welcome thanks thank thankyou thx ty tks cheers
appreciate appreciated bye goodbye later great perfect awesome excellent nice cool wonderful amazing brilliant ok okay
alright understood
mind done yes yep yeah no nope sure fine sorry lol haha hmm wow congratulations bravo helpful lovely gotcha
"""
# Words that may stand beside those, and nothing else, in a text that is only polite.
_FILLER_WORDS = """
many tomorrow
there you your you're so very much a an lot for the that that's this it it's its is was all again everyone everybody
team friend buddy bot guys my help helping answer answers work works job to me i i'm am are how doing today quick then
and too good well done enough meet see bunch million indeed really just what needed one in advance assistant world got
now have has day weekend evening kind of looks ok by effort time we can stop here never mind problem worries soon dear
duck know exactly wanted looking duckdb quackllm been had ago on us our much-appreciated people folks sir madam or not
"""
SOCIAL, FILLER = frozenset(_SOCIAL_WORDS.split()), frozenset(_FILLER_WORDS.split())
_CJK_SOCIAL_WORDS = """
你好 您好 大家好 嗨 哈喽 哈啰 喂 在吗 早上好 早安 上午好 中午好 下午好 晚上好 晚安 早 谢谢 多谢 感谢 谢啦 谢了 辛苦
太好了 很好 太棒 真棒 不错 好的 好吧 好 行 可以 没问题 知道了 明白 了解 收到 再见 拜拜 回头见 明天见 对不起 抱歉
不好意思 没事 不客气 哈哈 嗯 哦 是的 不是 对 厉害 完美 赞 有用
"""
_CJK_FILLER_WORDS = """
你 您 了 啦 啊 呀 吗 的 很 非常 大家 各位 朋友 老师 帮助 帮忙 帮我 回答 今天 最近 怎么样 我 知道 明天 一下 真 太 棒
这 那 就 是 要 想 结果 没 问题 吧 呢 为 所做 一切 解答 解释 又 也 都 周末 愉快 个 这次 十分 特别 万分 真是 先 聊 到
吃饭 助手 们 小
"""
_ORDER_WORDS = """
delete erase truncate wipe purge destroy insert alter modify rename overwrite create append upsert remove
"""
# Verbs that are nouns too ("book titles"): an order if an object follows that is no name of a column.
_WEAK_ORDER_WORDS = """
drop update replace edit add merge restore grant revoke rollback undo vacuum reset clear empty fix correct move copy
import upload set change cancel archive raise increase decrease lower reduce double mark assign hire fire promote
register enroll book send email approve reject close deactivate disable enable refund transfer pay charge schedule kill
"""
_CJK_ORDER_WORDS = """
删除 删掉 删去 清空 清除 移除 去掉 销毁 更新 修改 改成 改为 更改 变更 插入 新增 添加 增加一 加入 录入 创建 新建
建立 建一个 建一张 重命名 授权 撤销 回滚 取消 合并 替换 导入 上传 涨价 降价 提高 降低 发送 关闭
停用 启用 退款 转账 开除
"""
_TALK = """
who are you|what(?:'s| is) your (?:name|job|favou?rite)|how are you|how old are you|where are you from|what can you do
are you (?:a |an )?(?:human|robot|ai|real|there|ok|alive)|tell me (?:a joke|a story|about yourself)|sing(?: me| a|\\W*$)
do you (?:like|love)
(?:write|compose) (?:me )?(?:a |an )?(?:poem|story|song|essay|letter|haiku|novel)|help(?: me)?\\W*$
will it rain|translate\\b
what(?:'s| is) the (?:weather|time(?: now)?\\W*$)|what time is it|i love you|i(?: a|')m (?:bored|tired|sad
happy|hungry)|what(?:'s| is) up|nice to meet
happy (?:birthday|new year)|merry christmas|good luck|you(?:'| a)re (?:great|stupid|wrong|right|funny|awesome|the best)
你是谁|你叫什么|你几岁|你是(?:机器人|人|真人)|你(?:会|能|可以)(?:什么|做什么|干什么)|讲个|唱首|写一?(?:首|篇
封)|今天天气|现在几点
翻译(?:一下|成|这|下)|我爱你|我(?:好|很)(?:累|无聊|开心|难过|饿)|生日快乐|新年快乐|加油\\W*$|帮帮我\\W*$|救命
"""
_COURTESY = """
please|pls|kindly|now|and|then|so|just|ok|okay|can you|could you|would you|will you|i want you to|i want to|i need to
i'd like to|you (?:must|should)|let's|go and|go ahead and|immediately|请|帮我|帮忙|麻烦|你|现在|立刻|马上
能不能|可以|能否|我要|我想
"""
COURTESY = rf"^\W*(?:(?:{'|'.join(_COURTESY.split(chr(10))[1:-1])})\W*)*"
TALK = re.compile(COURTESY + f"(?:{'|'.join(_TALK.split(chr(10))[1:-1])})", re.IGNORECASE)
# "Add up the amounts" and "create a list" are questions.
_NO_OBJECT = r"(?!\s+(?:up\b|the (?:sum|total|average)|(?:a |the )?(?:list|query|report|chart|ranking)\b))"
_DETERMINED = (
    r"\s+(?:(?:the|all|this|these|that|those|my|our|a|an|every|each|him|her|them|it|everything|everyone|another|one|new|"
    r"tables?|columns?|rows?|records?|databases?|views?|customer|user|employee)\b|\d|[\"'])|(?:\s+[\w'’]+){1,5}\s+(?:to|as|into)\b|\s+\w+\s+(?:set\b|\d+\W*$)"
)
ORDERS = re.compile(
    f"{COURTESY}(?:(?:{'|'.join(_ORDER_WORDS.split())}){_NO_OBJECT}\\s+\\w|"
    f"(?:{'|'.join(_WEAK_ORDER_WORDS.split())}){_NO_OBJECT}(?:{_DETERMINED})|"
    f"(?:{'|'.join(_CJK_ORDER_WORDS.split())})"
    "|(?:把|将).{1,20}(?:删|清空|改|更新|设|移|加|提高|降低|乘|换|变成|取消|关闭|标记)|给.{1,12}(?:加薪|涨|发邮件|发短信|打折))",
    re.IGNORECASE,
)
CJK_QUESTION = re.compile(
    "多少|几[个位种年次天]|哪|什么|谁|数量|数$|总|平均|最[高低大小多少新早晚贵]|统计|占比|列出|[吗呢][？?]?$"
)
_CJK_WORDS = sorted([*_CJK_SOCIAL_WORDS.split(), *_CJK_FILLER_WORDS.split()], key=len, reverse=True)
CJK_SOCIAL = re.compile(rf"(?:{'|'.join(_CJK_WORDS)}|\W)+")
CJK_POLITE = re.compile("|".join(_CJK_SOCIAL_WORDS.split()))
# Words that only other languages have, and letters of other scripts.
_OTHER_WORDS = """
wie viele gibt welche welcher welches durchschnittliche haben sind ist und oder nicht für von dem der das ein eine zeige
alle mit jeder combien quel quelle quels quelles sont les dans avec moyenne nombre donnez chaque pour et une du moyen
tous cuántos cuantos cuál cual cuáles cuales qué dónde cuántas muestra todos las una para tienen hay es está promedio
número quanti quante quale quali sono gli della delle degli elenca ogni numero che mostra tutti quantos quantas qual
quais são dos das uma média mostre cada não os hoeveel welke zijn het een voor gemiddelde toon hur många finns är och
"""
OTHER_WORDS = frozenset(_OTHER_WORDS.split())
SCRIPTS = re.compile(r"[\u0400-\u04ff\u0600-\u06ff\u0590-\u05ff\u0e00-\u0e7f\u3040-\u30ff\uac00-\ud7af\u0900-\u097f]")


def reason_to_refuse(question: str, names: Iterable[str] = ()) -> str | None:
    """Return why no query can answer a text; None if it may be a question.

    Args:
        question: the text.
        names: the words of the schema's names, in lower case.
    """
    if not re.search(r"\w", question):
        return "there are no words in the question"
    if is_small_talk(question):
        return "this is no question about the data"
    if ORDERS.search(question) and not CJK_QUESTION.search(question):
        return "the built-in model only reads data; it changes, sends and creates nothing"
    if is_other_language(question, frozenset(names)):
        return "the built-in model reads English and Chinese only"
    if is_nonsense(question, frozenset(names)):
        return "the built-in model knows none of these words"
    return None


def is_small_talk(question: str) -> bool:
    """Whether a text is only polite, or is about the model itself."""
    if TALK.search(question):
        return True
    words = [word.lower.replace("’", "'") for word in read_words(question) if word.text[0].isalnum()]
    if any(is_cjk(word) for word in words):
        return CJK_SOCIAL.fullmatch(question) is not None and CJK_POLITE.search(question) is not None
    return all(word in SOCIAL or word in FILLER for word in words) and any(word in SOCIAL for word in words)


def is_other_language(question: str, names: frozenset[str]) -> bool:
    """Whether a text has letters of another script, or mostly words of another European language."""
    letters = sum(letter.isalpha() for letter in question)
    if len(SCRIPTS.findall(question)) * 2 > letters and not any(SCRIPTS.search(name) for name in names):
        return True
    words = [word.lower for word in read_words(question) if word.text.isalpha() and not is_cjk(word.text)]
    foreign = sum(word in OTHER_WORDS and word not in names for word in words)
    return foreign >= 2 and foreign * 3 >= len(words)


def is_nonsense(question: str, names: frozenset[str]) -> bool:
    """Whether no word of a text is a known word or a name of the schema."""
    words = [word for word in read_words(question) if word.text.isalpha()]
    if not words or any(is_cjk(word.text) for word in words):
        return False
    lower = [word.lower for word in words]
    known = [word for word in lower if word_vectors().row(word) != EMPTY_VECTORS or word_meanings().row(word)]
    return not known and not names & set(lower)
