"""Tells questions from what no query answers: greetings, thanks, orders to change data, other languages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..text.tokens import is_cjk, read_words
from ..text.word_meanings import word_meanings
from ..text.word_vectors import EMPTY_VECTORS, word_vectors

_START = r"^\W*(?:(?:please|pls|kindly|now|and|then|so|just|ok|okay|can you|could you|would you|will you|i want you to|you (?:must|should)|let's|go and|请|帮我|帮忙|麻烦|你|把它|现在|立刻|能不能|可以)\W*)*"
_SOCIAL = (
    r"(?:hi|hello|hey|hiya|howdy|yo|greetings|good (?:morning|afternoon|evening|night|day)|welcome|hola|"
    r"thanks|thank you|thank u|thankyou|thx|ty|tks|cheers|much appreciated|appreciate it|bye|goodbye|see you|see ya|later|"
    r"great|perfect|awesome|excellent|nice|cool|wonderful|amazing|brilliant|well done|good job|got it|i see|understood|"
    r"ok|okay|alright|all right|yes|no|yep|nope|sure|fine|never ?mind|sorry|no problem|you're welcome|lol|haha|hmm|wow)"
)
# After a social word nothing else that could be a question may follow.
_SOCIAL_REST = r"(?:\W+(?:there|you|so|very|much|a|lot|for|the|your|that|this|it|is|was|all|again|everyone|everybody|team|friend|buddy|bot|guys|my|help|answer|work|job|to|me|i|am|are|how|doing|today|quick|then|and|too|good|helpful|enough|nice|meet|see|bunch|million|indeed|really|just|what|needed|one|in|advance|quackllm|assistant|world|morning|works|got|now|have|day|weekend|evening|kind|of|looks|well|appreciated|ok|okay|bye|thanks|thank|great|perfect|later|tomorrow|soon|hello|hi|dear|duck|by|effort|time|we|done|can|stop|here|that's|it's|i'm|never|mind))*\W*$"
_CJK_SOCIAL = (
    r"^\W*(?:你好|您好|大家好|嗨|哈喽|哈啰|喂|在吗|早上好|早安|上午好|中午好|下午好|晚上好|晚安|早|谢谢|多谢|感谢|谢啦|谢了|辛苦|"
    r"太好了|很好|太棒了|真棒|不错|好的|好吧|好|行|可以|没问题|知道了|明白|了解|收到|再见|拜拜|回头见|对不起|抱歉|不好意思|没事|"
    r"不客气|哈哈|嗯|哦|是的|不是|对|厉害)(?:你|您|了|啦|啊|呀|吗|哦|的|很|非常|大家|各位|朋友|老师|帮助|帮忙|帮我|回答|今天|最近|怎么样|"
    r"好|谢谢|感谢|多谢|辛苦|我|知道|再见|见|明天|晚|安|一下|真|太|棒|有用|这|就|是|要|想|结果|对|没|问题|吧|呢|为|所做|一切|解答|解释|又|也|都|周末|愉快|早|[\W])*$"
)
_ORDERS = (
    r"(?:delete|drop|remove|erase|truncate|wipe|purge|destroy|update|insert|alter|modify|rename|overwrite|replace|edit|"
    r"create|append|upsert|merge|restore|grant|revoke|rollback|undo|vacuum|reset|clear|empty|fix|correct|move|copy|import|upload|"
    r"set|change|cancel|archive|raise|increase|decrease|lower|reduce|double|mark|assign|fire|promote|add|register|enroll|enrol|"
    r"book|send|email|approve|reject|close|deactivate|disable|enable|refund|transfer|pay|charge|schedule|kill|stop|start|run|execute|write|make)"
)
# Words that follow an order's verb: an object that is changed. "Add up the amounts" is a question.
_OBJECT = r"\s+(?!up\b|the (?:sum|total|average)|(?:a |the )?(?:list|query|table of|report|chart|ranking)\b)\w+"
_CJK_ORDERS = (
    r"(?:删除|删掉|删去|清空|清除|移除|去掉|销毁|更新|修改|改成|改为|更改|变更|插入|新增|添加|增加一|加入|录入|创建|新建|建立|建一个|重命名|"
    r"授权|撤销|回滚|取消|合并|替换|覆盖|导入|上传|涨价|降价|提高|降低|设置|设为|标记|发送|关闭|停用|启用|退款|转账|开除|给.{1,12}(?:加薪|涨|发))"
)
_CJK_OBJECT = r"(?:把|将).{1,20}(?:删|清空|改|更新|设|移|加|提高|降低|乘|换|变成|取消|关闭|标记)"
_TALK = (
    r"^\W*(?:who are you|what(?:'s| is) your name|how are you|how old are you|where are you from|are you (?:a |an )?(?:human|robot|ai|real|there|ok)|"
    r"what can you do|tell me a joke|sing|write (?:me )?(?:a |an )?(?:poem|story|song|essay|letter|email|haiku)|help(?: me)?\W*$|"
    r"what(?:'s| is) the (?:weather|time)|will it rain|translate|i love you|i (?:am|'m) (?:bored|tired|sad|happy)|do you (?:like|love|speak|know me)|"
    r"what(?:'s| is) up|nice to meet|happy (?:birthday|new year)|merry christmas|good luck|you (?:are|'re) (?:great|stupid|wrong|right|funny|awesome))"
)
_CJK_TALK = (
    r"^\W*(?:你是谁|你叫什么|你几岁|你是(?:机器人|人|真人)|你会(?:什么|做什么)|你能(?:做|干)什么|讲个|唱首|写(?:一)?(?:首|篇|封)|今天天气|天气|现在几点|"
    r"翻译|我爱你|我(?:好|很)(?:累|无聊|开心|难过)|生日快乐|新年快乐|加油|帮帮我\W*$|救命)"
)
SMALL_TALK = re.compile("|".join((f"{_START}{_SOCIAL}{_SOCIAL_REST}", _CJK_SOCIAL, _TALK, _CJK_TALK)), re.IGNORECASE)
ORDERS = re.compile(f"{_START}(?:{_ORDERS}{_OBJECT}|{_CJK_ORDERS}|{_CJK_OBJECT})", re.IGNORECASE)
# Words that only other languages have, and letters of other scripts.
OTHER_WORDS = frozenset(["wie", "viele", "gibt", "welche", "welcher", "welches", "durchschnittliche", "haben", "sind", "ist", "und", "oder", "nicht", "für", "von", "dem", "der", "das", "ein", "eine", "zeige", "alle", "mit", "jeder", "combien", "quel", "quelle", "quels", "quelles", "sont", "les", "dans", "avec", "moyenne", "nombre", "donnez", "chaque", "pour", "et", "une", "du", "quelle", "moyen", "tous", "cuántos", "cuantos", "cuál", "cual", "cuáles", "cuales", "qué", "dónde", "cuántas", "muestra", "todos", "las", "una", "para", "tienen", "hay", "es", "está", "promedio", "número", "cuál", "quanti", "quante", "quale", "quali", "sono", "gli", "della", "delle", "degli", "elenca", "ogni", "numero", "che", "mostra", "tutti", "quantos", "quantas", "qual", "quais", "são", "dos", "das", "uma", "média", "mostre", "cada", "não", "os", "hoeveel", "welke", "zijn", "het", "een", "voor", "gemiddelde", "toon", "alle"])  # fmt: skip
SCRIPTS = re.compile(r"[\u0400-\u04ff\u0600-\u06ff\u0590-\u05ff\u0e00-\u0e7f\u3040-\u30ff\uac00-\ud7af\u0900-\u097f]")


def reason_to_refuse(question: str, names: Iterable[str] = ()) -> str | None:
    """Return why no query can answer a text; None if it may be a question.

    Args:
        question: the text.
        names: the words of the schema's names, in lower case: what stands there is a question's own business.
    """
    if not re.search(r"\w", question):
        return "there are no words in the question"
    if SMALL_TALK.search(question):
        return "this is no question about the data"
    if ORDERS.search(question):
        return "the built-in model only reads data; it changes, sends and creates nothing"
    if is_other_language(question, frozenset(names)):
        return "the built-in model reads English and Chinese only"
    if is_nonsense(question, frozenset(names)):
        return "the built-in model knows none of these words"
    return None


def is_other_language(question: str, names: frozenset[str]) -> bool:
    """Whether a text has letters of another script, or mostly words of another European language."""
    if SCRIPTS.search(question) and not any(SCRIPTS.search(name) for name in names):
        return True
    words = [word.lower for word in read_words(question) if word.text.isalpha() and not is_cjk(word.text)]
    foreign = sum(word in OTHER_WORDS and word not in names for word in words)
    return foreign >= 2 and foreign * 3 >= len(words)


def is_nonsense(question: str, names: frozenset[str]) -> bool:
    """Whether no word of a text is a known word, a name of the schema, or may be a constant."""
    words = [word for word in read_words(question) if word.text.isalpha()]
    if not words or any(is_cjk(word.text) for word in words):
        return False
    lower = [word.lower for word in words]
    known = [word for word in lower if word_vectors().row(word) != EMPTY_VECTORS or word_meanings().row(word)]
    return not known and not names & set(lower)
