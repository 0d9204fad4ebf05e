"""What a magic's line may say: its options, how they are read, and the help that they make."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from ..workers.errors import RequestError, did_you_mean

OPTION = re.compile(r"\s*--(?P<name>[A-Za-z_][\w.-]*)(?:=|\s+|$)")
QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)(?=\s|$)""", re.DOTALL)
WORD = re.compile(r"\S+")
PASSED_ON = re.compile(r"gen(eration)?\.")
MODEL = {"model": "the model's name; left out: the connection's default"}
TURNS = {
    "input": "a table that holds a turn of a conversation, which this one continues",
    "output": "leave this turn as a table and a variable of that name",
}


@dataclass(frozen=True)
class MagicCommand:
    """A magic: what it does, its options with their meanings, and what its help shows."""

    name: str
    summary: str
    options: Mapping[str, str]
    others: Mapping[str, str] = field(default_factory=dict)
    """Other names of options."""
    examples: str = ""
    accepts_passthrough: bool = False
    """Whether it takes `gen.NAME` too."""

    @property
    def help(self) -> str:
        """What `%NAME?` shows."""
        width = max(map(len, self.options))
        lines = [self.summary, "", self.examples.strip("\n"), "", "Options stand before the text:", ""]
        lines += [f"    --{name:<{width}}  {meaning}" for name, meaning in self.options.items()]
        if self.accepts_passthrough:
            lines.append(f"    --{'gen.NAME':<{width}}  NAME, passed on to the service as it is")
        if self.others:
            lines += ["", "Other names: " + ", ".join(f"--{other} is --{name}" for other, name in self.others.items())]
        return "\n".join(lines)

    def read(self, line: str) -> tuple[dict[str, str], str]:
        """Return the options that a line begins with, and the text behind them as it was written.

        Raises:
            RequestError: an option that there is not (with the near ones), that is there twice, or without a value.
        """
        given: dict[str, str] = {}
        place = 0
        while option := OPTION.match(line, place):
            name = self.option(option["name"])
            value, place = _value(line, option.end(), name)
            if name in given:
                raise RequestError(f"--{name} is there twice", hint="leave one of them out")
            given[name] = value
        return given, line[place:].strip()

    def option(self, written: str) -> str:
        """Return the option that a name means; a hyphen is as good as an underscore.

        Raises:
            RequestError: there is none.
        """
        if self.accepts_passthrough and PASSED_ON.match(written):
            return written
        name = written.replace("-", "_")
        name = self.others.get(name, name)
        if name not in self.options:
            hint = did_you_mean(name, [*self.options, *self.others])
            raise RequestError(f"{self.name} has no option --{written}", hint=f"{hint}  (type {self.name}? for help)")
        return name


def _value(line: str, place: int, name: str) -> tuple[str, int]:
    """Return the value that begins here, and where it ends: JSON, a text in quotes, or a word."""
    while place < len(line) and line[place].isspace():
        place += 1
    rest = line[place:]
    if rest[:1] in ("{", "[") and not rest.startswith("{{"):
        return _json_value(rest, place, name)
    if rest[:2] == "{{" and "}}" in rest:
        end = rest.index("}}") + 2
        return rest[:end], place + end
    if quoted := QUOTED.match(rest):
        return re.sub(r"\\([\"'\\])", r"\1", quoted["text"]), place + quoted.end()
    if rest[:1] in ('"', "'"):
        raise RequestError(f"the value of --{name} has no closing quote", hint=f'write --{name} "…"')
    word = WORD.match(rest)
    if word is None or OPTION.match(rest):
        raise RequestError(f"--{name} has no value", hint=f"write --{name} VALUE")
    return word[0], place + word.end()


def _json_value(rest: str, place: int, name: str) -> tuple[str, int]:
    try:
        _, end = json.JSONDecoder().raw_decode(rest)
    except json.JSONDecodeError as error:
        raise RequestError(f"the value of --{name} is not JSON: {error}", hint=f"write --{name} '…'") from error
    return rest[:end], place + end


@cache
def chat_command() -> MagicCommand:
    """`%chat`: every key of `llm_param` is an option of it."""
    from ..udf.functions.params import param_aliases, param_descriptions

    return MagicCommand(
        "%chat",
        "Ask a model, and show the answer while it grows. The text is the question; in a %%chat cell, the cell.",
        {**MODEL, **TURNS, "format": "how the answer is shown: 'markdown', 'text' or 'html'", **param_descriptions()},
        param_aliases(),
        """
    %chat Why is the sky blue?
    %chat --model qianwen_chat --temperature 0.8 --draw 2 Tell a joke.

    %%chat --system "Answer in one sentence." --output q1
    My name is William. What does it mean?

    %%chat --input q1 --output q2
    What is my name?

    %sql SELECT llm_result(llm_chat(llm_stack(q1, 'And in French?'))) FROM q1

`--output q1` leaves the answer as the table q1 and the variable q1, `--input q1` continues it; two cells may continue
the same one. The same question has the same answer, which is paid once; `--draw 2` asks for another.
`{{name}}` stands for a variable, `{{SELECT …}}` for what a query gives: filled in as text, never as SQL.
Stop (Ctrl-C) ends the answer; what has come is kept, and marked.
""",
        accepts_passthrough=True,
    )


SQL = MagicCommand(
    "%sql",
    "Run SQL on the notebook's connection, and show the last result. In a %%sql cell the cell is a script.",
    {"output": "leave the result as a pandas DataFrame in a variable of that name"},
    examples="""
    %sql FROM llm_models()
    %sql --output df SELECT id, llm_result(llm_chat('Is this praise? ' || body)) AS answer FROM review

    %%sql
    CREATE TABLE answers AS SELECT id, llm_chat(body) AS response FROM review;
    SELECT llm_result(response) FROM answers;

While models are asked, one line says how far it is; Stop (Ctrl-C) keeps what was answered. DataFrames among the
variables can be read like tables. `result = %sql …` gives the result itself: `result.df()`, `result.arrow`.
""",
)

_QUESTION = {
    **MODEL,
    **TURNS,
    "schema": "tables or databases by name, DDL, or M-Schema; left out: all of the connection's",
    "rows": "the most rows that are read; 10000 unless told",
}

TEXT2SQL = MagicCommand(
    "%text2sql",
    "Ask the database a question, in a line or a %%text2sql cell: shows the SQL, its rows and, where they make one, "
    "a chart; the next cell holds the SQL, to be edited.",
    _QUESTION,
    examples="""
    %%text2sql --output t1
    How many singers are there in each country?

    %%text2sql --input t1
    Only those over 30.

Without --model it is the connection's default, else the only model deployed, else the built-in one, which needs no key.
The SQL is one SELECT that can change nothing; DuckDB has checked it before it runs. `t1` is a table and a variable.
""",
)

ASK = MagicCommand("%ask", "Ask the database a question and show the answer, as %text2sql does, with no cell to edit.",
    _QUESTION, examples="""
    %ask Which singers were born in France?
""")  # fmt: skip

QUACKLLM = MagicCommand(
    "%quackllm",
    "Say which database and default model the notebook has; alone: show what there is.",
    {
        "model": "the default model",
        "cluster": "where models answer: 'local', 'auto' or an address of a Ray cluster; 'none': in this process",
        "connection": "the variable that holds the notebook's connection",
        "debug": "'on': errors with their tracebacks; 'off': as one panel",
    },
    examples="""
    %quackllm
    %quackllm shop.duckdb --model qianwen_chat     opens the file as the variable `connection`
    %quackllm --model kimi_chat                    another default model; the connection and its tables stay
    %quackllm --connection con                     the connection that the variable con holds
""",
)
"""Its text, a path, may stand before the options too."""
