"""Training data in chat form: exactly the prompts of text2sql, answered by SQL that DuckDB has run."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ...workers.errors import SandboxLimitError, SetupError
from ...workers.messages import Message
from ...workers.sandbox import SandboxLimits
from ...workers.training.data.data_files import BadRow, Row
from .checks.check_answer import bare_schema
from .checks.string_literals import normalize_string_literals
from .evaluation.child_queries import SANDBOX, check_example
from .evaluation.databases import QuestionDatabases, schema_text, source_path
from .evaluation.datasets import Question, list_suites, load_questions
from .evaluation.gold import MEGABYTES, OPENING_SECONDS
from .evaluation.question_rows import SkippedRow, parse_question
from .evaluation.scoring import SECONDS
from .prompts.formats import PromptFormat, format_named
from .prompts.value_matching import match_values
from .schema.resolve import ResolvedSchema

# An example in the format of training: {"messages": [{"role": "user", "content": "…"}, …, {"role": "assistant",
# "content": "…"}]}.
ChatRow = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class ChatExample:
    """One question with its answer, ready for training.

    Args:
        question: the question of the example.
        messages: the prompt that text2sql would send, then the answer in the prompt form's own shape.
    """

    question: Question
    messages: tuple[Message, ...]

    @property
    def row(self) -> ChatRow:
        """The example as a row of a training file."""
        return {"messages": [{"role": message.role, "content": message.content} for message in self.messages]}


@dataclass(frozen=True)
class HeldOut:
    """Test data that must not be trained on: databases, and questions that name no database."""

    databases: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()

    @staticmethod
    def of(tested: Iterable[Question]) -> HeldOut:
        """Return the held-out data of these questions."""
        kept = list(tested)
        names = frozenset(one.db.lower() for one in kept if one.db)
        return HeldOut(names, frozenset(_plain(one.question) for one in kept))

    def holds(self, question: Question) -> str | None:
        """Return the reason why a question is held out; None if it is not."""
        name = re.sub(r".*[/\\]|\.\w+$", "", question.db).lower()
        if name in self.databases or question.db.lower() in self.databases:
            return f"the database {name!r} is a test set's"
        if not question.db and _plain(question.question) in self.asked:
            return "the question is a test set's"
        return None


def held_out() -> HeldOut:
    """Return the `dev` questions of the data folder, with their databases."""
    return HeldOut.of(one for suite in list_suites("dev") for one in load_questions(suite, "dev"))


def build_examples(
    rows: Iterable[Row | BadRow | Question],
    form: PromptFormat | str,
    *,
    database: str = "",
    tested: HeldOut | None = None,
    drop_empty: bool = False,
    seconds: float = SECONDS,
    languages: Sequence[str] = (),
    limit: int | None = None,
    progress: Callable[[], None] = lambda: None,
) -> tuple[list[ChatExample], list[SkippedRow]]:
    """Convert rows of questions and SQL to training examples; return these, and the rows that were left out.

    Each question becomes the messages that text2sql sends at inference for that schema and question, with the cells
    that it mentions and the earlier turns, followed by the SQL in the form's own shape. An example is made only from
    SQL that parses, passes the guard, binds and, if the database has rows, runs.

    Args:
        rows: `(line, row)`, as `read_data_rows` yields them; a row is a dict with `question`, `sql`,
            and `schema` (CREATE TABLE … or M-Schema) or `db` (a database of the data folder, a DuckDB file, a folder);
            other accepted names are `query` and `answer`, `context` and `ddl`, `db_id` and `database`. Rows of one `db`
            with the same `dialogue` are a conversation, in the order of the rows; each turn is one example.
            The rows may include a suite's questions; a `BadRow` is returned as left out.
        form: a prompt form or its name, e.g. 'chat'.
        database: the default for rows that name none.
        tested: databases and questions to leave out; None: the `dev` sets of the data folder.
        drop_empty: leave out SQL whose result is empty, if its database has rows.
        seconds: time limit of one query.
        languages: 'en', 'zh': only questions in these languages; () keeps all.
        limit: maximum number of examples; later rows are not read.
        progress: called once for each row.

    Returns:
        The examples, whose `.row` is `{"messages": […]}`, in the order of their rows; and a `LeftOut` (line, kind, why)
        for each row that was left out. Kinds: `json` and `fields` (the row cannot be
        parsed), `schema`, `parser`, `guard`, `binder`, `catalog` (DuckDB's own error type), `run`,
        `empty`, `turn` (an earlier turn was left out), `duplicate`, `tested` (a test set's), `language`.

    Raises:
        SetupError: no form has that name.
    """
    examples: list[ChatExample] = []
    left_out: list[SkippedRow] = []
    with QuestionDatabases() as sources:
        chosen = format_named(form, "") if isinstance(form, str) else form
        held = held_out() if tested is None else tested
        maker = _ExampleBuilder(chosen, sources, held, drop_empty, seconds, languages)
        for row in rows:
            if len(examples) == limit:
                break
            made = maker.make(row if isinstance(row, Question) else parse_question(row, database))
            if isinstance(made, ChatExample):
                examples.append(made)
            else:
                left_out.append(made)
            progress()
    return examples, left_out


class _Refused(Exception):
    """The reason why a question becomes no example."""

    def __init__(self, kind: str, why: str) -> None:
        self.kind, self.why = kind, why


@dataclass
class _ExampleBuilder:
    """Makes examples one after the other; remembers earlier ones, to find duplicates, and the current conversations."""

    form: PromptFormat
    sources: QuestionDatabases
    tested: HeldOut
    drop_empty: bool
    seconds: float
    languages: Sequence[str]

    def __post_init__(self) -> None:
        self.seen: dict[tuple[str, ...], int] = {}
        self.turns: dict[tuple[str, int], tuple[Message, ...]] = {}
        self.lost: dict[tuple[str, int], int] = {}

    def make(self, question: Question | SkippedRow) -> ChatExample | SkippedRow:
        """Return the example of a question, or the reason why there is none."""
        if isinstance(question, SkippedRow):
            return question
        try:
            return self._made(question)
        except _Refused as refused:
            if question.dialogue is not None and refused.kind != "duplicate":
                self.lost.setdefault((question.db, question.dialogue), question.line)
            return SkippedRow(question.line, refused.kind, refused.why)

    def _made(self, question: Question) -> ChatExample:
        if why := self.tested.holds(question):
            raise _Refused("tested", why)
        if self.languages and detect_language(question) not in self.languages:
            raise _Refused("language", f"its question is in {detect_language(question)!r}")
        try:
            schema = self.sources.schema(question)
        except SetupError as error:
            raise _Refused("schema", str(error).replace("\n", "; ")) from None
        question = replace(question, sql=self._checked(question, schema))
        turns = self._with_earlier(question)
        self._refuse_repeated(question, turns)
        values = match_values(question.question, schema.schema)
        told = question.sql if self.form.write is None else self.form.write(question.sql, turns, schema.schema, values)
        if told is None:
            raise _Refused("form", f"the form {self.form.name!r} cannot write its SQL")
        answer = Message("assistant", self.form.answer.replace("{sql}", told))
        return ChatExample(question, (*self.form.build_messages(turns, schema.schema, values), answer))

    def _checked(self, question: Question, schema: ResolvedSchema) -> str:
        """Return the SQL after the guard; it also binds, and runs if there are rows."""
        sql = normalize_string_literals(question.sql, schema.schema)
        path = None if schema_text(question) is not None else str(source_path(question.db))
        arguments = path, sql, bare_schema(schema.schema), schema.bindable, self.seconds
        limits = SandboxLimits(MEGABYTES, self.seconds + OPENING_SECONDS)
        try:
            checked, found = SANDBOX.call(check_example, *arguments, limits=limits)
        except SandboxLimitError as error:
            raise _Refused("run", error.message) from None
        if not checked:
            raise _Refused(*found)
        if self.drop_empty and found == 0:
            raise _Refused("empty", "it gives no rows")
        return checked

    def _with_earlier(self, question: Question) -> Sequence[Message]:
        """Return the conversation up to the question, and store it with its answer for the next turn."""
        asked = Message("user", question.question)
        if question.dialogue is None:
            return (asked,)
        key = question.db, question.dialogue
        if key in self.lost:
            raise _Refused("turn", f"an earlier turn of its conversation was left out: line {self.lost[key]}")
        turns = (*self.turns.get(key, ()), asked)
        self.turns[key] = (*turns, Message("assistant", question.sql))
        return turns

    def _refuse_repeated(self, question: Question, turns: Sequence[Message]) -> None:
        told = (_plain(message.content) for message in turns)
        key = (question.db, question.schema, str(question.columns), " ".join(question.sql.split()), *told)
        if (first := self.seen.setdefault(key, question.line)) != question.line:
            raise _Refused("duplicate", f"line {first} says the same")


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def split_by_database(
    examples: Sequence[ChatExample], share: float, seed: int
) -> tuple[list[ChatExample], list[ChatExample]]:
    """Split examples into training and evaluation; no database, and no schema text, is in both.

    Args:
        examples: of many databases.
        share: share of the examples for evaluation, from 0 to 1: databases are drawn until they have that many.
        seed: decides which databases are drawn.
    """
    positions = sorted({_location(one) for one in examples})
    random.Random(seed).shuffle(positions)
    drawn: set[tuple[str, ...]] = set()
    counts = dict.fromkeys(positions, 0)
    for one in examples:
        counts[_location(one)] += 1
    wanted = share * len(examples)
    for position in positions[:-1]:
        if sum(counts[one] for one in drawn) >= wanted:
            break
        drawn.add(position)
    kept = [one for one in examples if _location(one) not in drawn]
    return kept, [one for one in examples if _location(one) in drawn]


def _location(example: ChatExample) -> tuple[str, ...]:
    question = example.question
    return question.db, question.schema, str(question.columns)


def detect_language(question: Question) -> str:
    """Return 'zh' for a question with Chinese characters, 'en' for any other."""
    return "zh" if re.search(r"[\u4e00-\u9fff]", question.question) else "en"


def shuffled(questions: Sequence[Question], seed: int) -> list[Question]:
    """Shuffle questions by the seed; the turns of a conversation stay together and in order."""
    keys = [(one.db, one.dialogue if one.dialogue is not None else -1 - n) for n, one in enumerate(questions)]
    order = dict.fromkeys(keys)
    positions = list(order)
    random.Random(seed).shuffle(positions)
    rank = {key: position for position, key in enumerate(positions)}
    return [one for _, one in sorted(zip(keys, questions, strict=True), key=lambda pair: rank[pair[0]])]
