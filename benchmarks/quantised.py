"""What quantising costs and saves: one merged model as f16, Q8_0 and Q4_K_M in llama.cpp, and as int8 in bitsandbytes.

    python benchmarks/quantised.py runs/sql/merged dev.jsonl --prompt-form m_schema [--limit 200] [--json]

SUITE is one that `quackllm evaluate` knows, or a file of questions. Each form is deployed under a name, asked through
the SQL functions with an empty call store, and ended before the next begins. Printed: execution accuracy, the size on
disk, tokens written a second, seconds, and the errors that came. The int8 weights are made while they are loaded: on
disk it is the model as it was.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TYPES = ("F16", "Q8_0", "Q4_K_M")


@dataclass(frozen=True)
class Contender:
    """One form of the model, and what it is deployed with."""

    name: str
    megabytes: float
    infer_params: dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """What came of one form."""

    form: str
    megabytes: float
    accuracy: float
    questions: int
    seconds: float
    tokens_per_second: float
    errors: dict[str, int]


def main() -> None:
    """Measure each form in turn, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a merged model's folder")
    parser.add_argument("suite", nargs="?", help="a suite of `quackllm evaluate`, or a file of questions")
    parser.add_argument("--prompt-form", help="the form that the model was trained on")
    parser.add_argument("--database", default="", help="what the questions of a file are asked about")
    parser.add_argument("--limit", type=int, help="only so many questions, evenly spread")
    parser.add_argument(
        "--n-ctx", type=int, default=4096, help="maximum number of tokens of prompt and answer together"
    )
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--forms", nargs="+", default=[*TYPES, "int8"], help="left out: all four")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.model or not options.suite:
        print("Skipped: it needs a model and a suite. python benchmarks/quantised.py --help")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QUACKLLM_HOME"] = folder
        rows = [measured(contender, options) for contender in contenders(options, Path(folder))]
    report(rows, options.json)


def contenders(options: argparse.Namespace, folder: Path) -> Iterator[Contender]:
    """Yield each form, made when its turn comes."""
    from quackllm.workers.training.export_model import export

    common = {"prompt_form": options.prompt_form} if options.prompt_form else {}
    common = {**common, "backend.max_tokens": options.max_tokens}
    for form in options.forms:
        if form == "int8":
            size = sum(file.stat().st_size for file in Path(options.model).glob("*.safetensors"))
            params = {"backend": "transformers", "model_path": options.model, "backend.quantization": "8bit"}
            yield Contender("int8 (bitsandbytes)", size / 1e6, {**common, **params})
        else:
            done = export(options.model, str(folder / f"model.{form}.gguf"), type=form, warn=print)
            params = {"backend": "llama_cpp", "model_path": str(done.path), "backend.n_ctx": options.n_ctx}
            yield Contender(f"{form} (llama.cpp)", done.bytes / 1e6, {**common, **params})


def measured(contender: Contender, options: argparse.Namespace) -> Measured:
    """Deploy a form, ask it every question, and end it."""
    from quackllm.udf.text2sql.evaluation.client import Text2SqlClient
    from quackllm.udf.text2sql.evaluation.databases import QuestionDatabases
    from quackllm.udf.text2sql.evaluation.evaluator import evaluate_suite
    from quackllm.udf.text2sql.evaluation.gold import GoldAnswers
    from quackllm.udf.text2sql.evaluation.suites import load_suite

    import quackllm
    from quackllm import FailedRowsWarning

    name = "quantised_model"
    quackllm.deploy(name, "custom/auto", infer_params=contender.infer_params)
    suite = load_suite(options.suite, database=options.database, limit=options.limit)
    with QuestionDatabases() as sources, warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedRowsWarning)
        with quackllm.connect() as connection:
            connection.execute(f"SELECT {name}('warm up')").fetchone()
        result = evaluate_suite(Text2SqlClient(name), suite, GoldAnswers(sources))
    quackllm.undeploy(name)
    written = result.tokens()[1]
    return Measured(
        contender.name,
        contender.megabytes,
        result.accuracy(),
        len(result.judged),
        result.seconds,
        written / result.seconds,
        dict(result.codes().most_common(3)),
    )


def report(rows: list[Measured], as_json: bool) -> None:
    """Print what was measured."""
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("form", "MB on disk", "right, %", "questions", "tokens/s", "seconds", "errors", box=None)
    for row in rows:
        numbers = f"{row.megabytes:,.0f}", f"{100 * row.accuracy:.1f}", str(row.questions)
        errors = ", ".join(f"{count} {code}" for code, count in row.errors.items())
        table.add_row(row.form, *numbers, f"{row.tokens_per_second:,.0f}", f"{row.seconds:,.1f}", errors)
    Console().print(table)


if __name__ == "__main__":
    main()
