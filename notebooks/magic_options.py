"""The options of the magics: how a line is parsed, and the help text."""

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
PASSTHROUGH = re.compile(r"gen(eration)?\.")
MODEL = {"model": "the model's name; left out: the connection's default"}
TURNS = {
    "input": "a table that holds a turn of a conversation, which this one continues",
    "output": "save this turn as a table and a variable of that name",
}


@dataclass(frozen=True)
class MagicCommand:
    """A magic and its options.

    Args:
        name: with its percent sign.
        summary: what it does.
        options: the name and the meaning of each.
        others: other names of options.
        examples: shown by the help.
        accepts_passthrough: whether it takes `gen.NAME` too.
        flags: options without a value.
    """

    name: str
    summary: str
    options: Mapping[str, str]
    others: Mapping[str, str] = field(default_factory=dict)
    examples: str = ""
    accepts_passthrough: bool = False
    flags: frozenset[str] = frozenset()

    @property
    def help(self) -> str:
        """The text of `%NAME?`."""
        width = max(map(len, self.options))
        lines = [self.summary, "", self.examples.strip("\n"), "", "Options stand before the text:", ""]
        lines += [f"    --{name:<{width}}  {meaning}" for name, meaning in self.options.items()]
        if self.accepts_passthrough:
            lines.append(f"    --{'gen.NAME':<{width}}  NAME, passed to the service unchanged")
        if self.others:
            lines += ["", "Other names: " + ", ".join(f"--{other} is --{name}" for other, name in self.others.items())]
        return "\n".join(lines)

    def read(self, line: str) -> tuple[dict[str, str], str]:
        """Return the options that a line begins with, and the text behind them unchanged.

        Raises:
            RequestError: an option is unknown, occurs twice, or has no value.
        """
        given: dict[str, str] = {}
        index = 0
        while option := OPTION.match(line, index):
            name = self.option(option["name"])
            value, index = ("on", option.end()) if name in self.flags else _value(line, option.end(), name)
            if name in given:
                raise RequestError(f"--{name} occurs twice", hint="leave one of them out")
            given[name] = value
        return given, line[index:].strip()

    def option(self, written: str) -> str:
        """Return the option of a name, which may be written with hyphens.

        Raises:
            RequestError: there is no such option.
        """
        if self.accepts_passthrough and PASSTHROUGH.match(written):
            return written
        name = written.replace("-", "_")
        name = self.others.get(name, name)
        if name not in self.options:
            hint = did_you_mean(name, [*self.options, *self.others])
            raise RequestError(f"{self.name} has no option --{written}", hint=f"{hint}  (type {self.name}? for help)")
        return name


def _value(line: str, index: int, name: str) -> tuple[str, int]:
    """Return the value at an index, and the index behind it: JSON, a text in quotes, or a word."""
    while index < len(line) and line[index].isspace():
        index += 1
    rest = line[index:]
    if rest[:1] in ("{", "[") and not rest.startswith("{{"):
        return _json_value(rest, index, name)
    if rest[:2] == "{{" and "}}" in rest:
        end = rest.index("}}") + 2
        return rest[:end], index + end
    if quoted := QUOTED.match(rest):
        return re.sub(r"\\([\"'\\])", r"\1", quoted["text"]), index + quoted.end()
    if rest[:1] in ('"', "'"):
        raise RequestError(f"the value of --{name} has no closing quote", hint=f'write --{name} "…"')
    word = WORD.match(rest)
    if word is None or OPTION.match(rest):
        raise RequestError(f"--{name} has no value", hint=f"write --{name} VALUE")
    return word[0], index + word.end()


def _json_value(rest: str, index: int, name: str) -> tuple[str, int]:
    try:
        _, end = json.JSONDecoder().raw_decode(rest)
    except json.JSONDecodeError as error:
        raise RequestError(f"the value of --{name} is not JSON: {error}", hint=f"write --{name} '…'") from error
    return rest[:end], index + end


@cache
def chat_command() -> MagicCommand:
    """`%chat`: every key of `llm_param` is an option of it."""
    from ..udf.functions.params import param_aliases, param_descriptions

    return MagicCommand(
        "%chat",
        "Send a question to a model, and show the answer as it arrives. The question is the text, or the %%chat cell.",
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

`--output q1` saves the turn as the table q1 and the variable q1, `--input q1` continues it; two cells may continue the
same turn. The same question has the same answer, which is paid once; `--draw 2` requests another one.
`{{name}}` is replaced by a variable, `{{SELECT …}}` by the result of a query, as text and never as SQL.
Stop (Ctrl-C) ends the answer; the part that has arrived is saved, and marked.
""",
        accepts_passthrough=True,
    )


SQL = MagicCommand(
    "%sql",
    "Run SQL on the notebook's connection, and show the last result. In a %%sql cell the cell is a script.",
    {"output": "assign the result as a pandas DataFrame to a variable of that name"},
    examples="""
    %sql FROM llm_models()
    %sql --output df SELECT id, llm_result(llm_chat('Is this praise? ' || body)) AS answer FROM review

    %%sql
    CREATE TABLE answers AS SELECT id, llm_chat(body) AS response FROM review;
    SELECT llm_result(response) FROM answers;

One line shows the progress of model calls; after Stop (Ctrl-C) the answers so far are saved. DataFrames among the
variables can be read like tables. `result = %sql …` assigns the result: `result.df()`, `result.arrow`.
""",
)

_QUESTION = {
    **MODEL,
    **TURNS,
    "schema": "tables or databases by name, DDL, or M-Schema; left out: all of the connection's",
    "notes": "Markdown on the data, or a file; shop.notes.md beside the database is found without",
    "examples": "how many verified examples the model is shown; left out: none",
    "votes": "how many answers are drawn at most; the largest group of equal results wins",
    "min_confidence": "give no SQL that is less sure than this, from 0 to 1",
    "show_prompt": "show all that the model was sent",
    "keep": "keep the question and its SQL as a verified example beside the database",
    "rows": "the maximum number of rows; left out: 10000",
}
_FLAGS = frozenset({"show_prompt", "keep"})

TEXT2SQL = MagicCommand(
    "%text2sql",
    "Answer a question about the database, in a line or a %%text2sql cell: shows the SQL, its rows and, if they can be "
    "drawn, a chart; the next cell contains the SQL, to be edited.",
    _QUESTION,
    examples="""
    %%text2sql --output t1
    How many singers are there in each country?

    %%text2sql --input t1
    Only those over 30.

Without --model the connection's default answers, else the only deployed model, else the built-in one, which needs no
key. The SQL is one SELECT that can change nothing; DuckDB checks it before it runs. `t1` is a table and a variable.
""",
    flags=_FLAGS,
)

ASK = MagicCommand("%ask", "Answer a question about the database as %text2sql does, with no cell to edit.",
    _QUESTION, flags=_FLAGS, examples="""
    %ask Which singers were born in France?
    %ask --votes 5 --notes "a star has a hit after 2020" How many stars are there?
""")  # fmt: skip

QUACKLLM = MagicCommand(
    "%quackllm",
    "Choose the notebook's database and default model; alone: show them, and the deployed models.",
    {
        "model": "the default model",
        "cluster": "the Ray cluster of the models: 'local', 'auto' or an address; 'none': this process",
        "connection": "the variable that holds the notebook's connection",
        "read_only": "open the file for reading only, as other processes do at the same time",
        "debug": "'on': errors with their tracebacks; 'off': as one panel",
    },
    examples="""
    %quackllm
    %quackllm shop.duckdb --model qianwen_chat     opens the file as the variable `connection`
    %quackllm --model kimi_chat                    another default model; the connection and its tables stay
    %quackllm --connection con                     the connection that the variable con holds
""",
    flags=frozenset({"read_only"}),
)
