"""The story of a small model of one's own, told in the commands that a user types.

A Llama of four million weights is pre-trained on text, fine-tuned on English questions, asked Chinese ones (it fails),
fine-tuned again with QLoRA on Chinese ones, merged and deployed under a name: the same SQL now answers more of them.

    QUACKLLM_DATA=/path/to/data python notebooks/examples/story/story.py runs/story
    python notebooks/examples/story/story.py runs/small --small

The first takes ninety minutes. The second takes less than a minute: it has a few dozen questions about invented
tables and shows that every stage does its work. What came of both is in docs/own-model.md. A real base takes the same
commands with its own prompt form.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from quackllm.deploy.cli.main import app
from quackllm.udf.text2sql.evaluation.datasets import load_questions
from quackllm.workers.quiet_imports import import_tqdm

import quackllm
from invented import invented
from linked import INDEX_TOKENS

Row = dict[str, Any]
HERE = Path(__file__).parent
TURNS = ("<|user|>", "<|assistant|>")
END, PADDING = "<|endoftext|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{{ ('<|assistant|>' if message['role'] == 'assistant' else '<|user|>') + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|endoftext|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@dataclass(frozen=True)
class Size:
    """How much of everything there is.

    Args:
        tables: how many WikiSQL questions are among the English ones.
        tokens: of the tokenizer, beside the index tokens.
        config: the model's shape.
        pretrain, english, chinese: flags of the three trainings.
        tests: what is evaluated on: Chinese, then English.
    """

    tables: int
    tokens: int
    config: str
    pretrain: str
    english: str
    chinese: str
    tests: tuple[str, str]


COMMON = "--max-seq-length 256 --gradient-accumulation-steps 1"
FULL = Size(
    tables=30000,
    tokens=2600,
    config="config.json",
    pretrain=f"{COMMON} --per-device-train-batch-size 8 --learning-rate 2e-3 --max-steps 300",
    english=f"{COMMON} --packing --per-device-train-batch-size 8 --learning-rate 2e-3 --num-train-epochs 3",
    chinese=f"{COMMON} --packing --per-device-train-batch-size 8 --learning-rate 1e-3 --num-train-epochs 3"
    " --lora-rank 64 --lora-alpha 64 --modules-to-save embed_tokens",
    tests=("chase_zh", "spider"),
)
SMALL = Size(
    tables=0,
    tokens=400,
    config="small.json",
    pretrain=f"{COMMON} --per-device-train-batch-size 4 --learning-rate 2e-3 --max-steps 3",
    english=f"{COMMON} --per-device-train-batch-size 12 --max-steps 35 --learning-rate 4e-3",
    chinese=f"{COMMON} --per-device-train-batch-size 12 --max-steps 35 --learning-rate 4e-3"
    " --lora-rank 32 --lora-alpha 64",
    tests=("{work}/chinese.test.jsonl", "{work}/english.test.jsonl"),
)
ENGLISH_SUITES = ("spider", "spider_synonyms", "wikisql")
QUESTIONS = {
    True: ("火车的平均速度是多少？", 'CREATE TABLE "火车" ("线路" VARCHAR, "司机" VARCHAR, "速度" INTEGER)'),
    False: ("部门中有多少人年龄大于56岁？", "CREATE TABLE 部门 (姓名 VARCHAR, 年龄 INTEGER)"),
}
"""What is asked before and after: the second is the question of the document that this story follows."""


def main() -> None:
    """Read the command line and tell the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="the folder to work in")
    parser.add_argument("--small", action="store_true", help="less than a minute, on invented tables")
    given = parser.parse_args()
    tell(given.work, small=given.small)


def tell(work: Path, *, small: bool) -> tuple[str | None, str | None]:
    """Go through all stages and return the SQL for the same question before and after; finished stages stand."""
    size = SMALL if small else FULL
    tests = [test.format(work=work) for test in size.tests]
    work.mkdir(parents=True, exist_ok=True)
    prepare(work, size, small)
    stage(
        work / "text",
        f"pretrain --config {HERE / size.config} --tokenizer {work}/tokenizer"
        f" --train-file {work}/text.jsonl {size.pretrain}",
    )
    stage(
        work / "english",
        f"finetune --method full --model-name {work}/text/final --train-file {work}/english.chat.jsonl {size.english}",
    )
    for name in ("my_sql", "english_only"):
        deploy(name, work / "english" / "final")
    before = ask(*QUESTIONS[small])
    stage(
        work / "chinese",
        f"finetune --method qlora --model-name {work}/english/final --train-file {work}/both.chat.jsonl {size.chinese}",
    )
    stage(work / "merged", f"merge --adapter {work}/chinese")
    deploy("my_sql", work / "merged")
    after = ask(*QUESTIONS[small])
    for test in tests:
        run(f"evaluate {test} --model english_only --model my_sql --out {work}/{Path(test).stem}")
    return before, after


def prepare(work: Path, size: Size, small: bool) -> None:
    """Write the questions, put them in the model's form, and make a tokenizer and text of them."""
    if (work / "tokenizer").exists():
        return
    chance = random.Random(0)
    english = list(invented(0, tested=False) if small else english_rows(size.tables, chance))
    chinese = list(invented(1, tested=False) if small else first_turns("chase_zh"))
    write(work / "english.jsonl", english)
    write(work / "chinese.jsonl", chinese)
    if small:
        write(work / "english.test.jsonl", invented(0, tested=True))
        write(work / "chinese.test.jsonl", invented(1, tested=True))
    for language in ("english", "chinese"):
        if not (work / f"{language}.chat.jsonl").exists():
            run(f"prepare {work}/{language}.jsonl --prompt-form linked:LINKED --out {work}/{language}.chat.jsonl")
    examples = {language: read(work / f"{language}.chat.jsonl") for language in ("english", "chinese")}
    kept = chance.sample(examples["english"], len(examples["chinese"]))
    write(work / "both.chat.jsonl", chance.sample(kept + examples["chinese"], 2 * len(kept)))
    texts = {name: [row["messages"][0]["content"] for row in rows] for name, rows in examples.items()}
    write(work / "text.jsonl", ({"text": text} for text in chance.sample(texts["english"], len(texts["english"]))))
    answers = [row["messages"][1]["content"] for row in examples["english"]]
    make_tokenizer([*texts["english"], *texts["chinese"], *answers], size.tokens, work / "tokenizer")


def english_rows(tables: int, chance: random.Random) -> Iterator[Row]:
    """Yield the English questions: about databases, and a draw of those about single tables."""
    for suite in ENGLISH_SUITES:
        rows = list(first_turns(suite))
        yield from chance.sample(rows, tables) if suite == "wikisql" else rows


def first_turns(suite: str) -> Iterator[Row]:
    """Yield a suite's questions that follow no other, as `quackllm prepare` reads rows."""
    asked = load_questions(suite, "train")
    first = min(question.turn for question in asked)
    for question in asked:
        if question.turn == first:
            place: Row = {"schema": question.schema} if question.schema else {"db": question.db}
            place = {"columns": dict(question.columns)} if question.columns else place
            yield {"question": question.question, "sql": question.sql, **place}


def make_tokenizer(texts: Iterable[str], size: int, folder: Path) -> None:
    """Make a byte-level BPE tokenizer in which each index token of the prompt form is one token."""
    import_tqdm()
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END, PADDING, *TURNS], initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator((re.sub("|".join(INDEX_TOKENS), "\n", text) for text in texts), trainer)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in INDEX_TOKENS])
    whole = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING, chat_template=TEMPLATE, model_max_length=512
    )
    whole.save_pretrained(folder)


def stage(folder: Path, command: str) -> None:
    """Type a training command, unless what it makes is there."""
    if not (folder / "final").exists() and not (folder / "config.json").exists():
        run(f"{command} --output-dir {folder}")


def deploy(name: str, folder: Path) -> None:
    """Deploy a model under a name, with the form that it was trained in."""
    run(f"deploy {name} custom/auto --infer-backend transformers --model-path {folder} -p prompt_form=linked:LINKED")


def ask(question: str, schema: str) -> str | None:
    """Ask in SQL, and show what came back."""
    with quackllm.connect() as connection:
        statement = "SELECT text2sql($question, schema := $schema, model := 'my_sql')"
        (sql,) = connection.execute(statement, {"question": question, "schema": schema}).fetchone() or (None,)
    print(f"\nSELECT text2sql('{question}', schema := '{schema}', model := 'my_sql');\n{sql}", flush=True)
    return None if sql is None else str(sql)


def run(command: str) -> None:
    """Type a command."""
    print(f"\n$ quackllm {command}", flush=True)
    try:
        app(shlex.split(command), standalone_mode=False)
    except typer.Exit as ended:
        if ended.exit_code:
            raise SystemExit(ended.exit_code) from None


def write(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def read(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
