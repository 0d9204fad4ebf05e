"""What SQL costs on vLLM, and what sending together those prompts that begin alike saves.

    python benchmarks/on_vllm.py [--rows 256] [--tokens 64] [--rounds 3] [--width 384] [--layers 6] [--json]

The model is a Llama of random weights, made here. With vLLM's CPU build: .venv-vllm/bin/python (`make test-vllm` makes
it), with OMP_NUM_THREADS=1. Printed: tokens written a second by AsyncLLM driven directly, all prompts
at once (the limit that counts: 100 %), and by a SELECT over the same prompts; their rounds take turns. Then rows over a
few long system messages in random order, with a KV cache that holds a part of them: as they come, planned, and sorted
beforehand, with vLLM's own count of the prompt tokens that its prefix cache held.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

# Two engines share the machine's memory, of which each would take nine tenths.
ENGINE = {"dtype": "float32", "enforce_eager": True, "max_model_len": 1024, "gpu_memory_utilization": 0.3}
BLOCK = 32
"""Tokens of one block of the KV cache: the least that the CPU build takes."""


def main() -> None:
    """Measure both, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=64, help="written for each row")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--prefixes", type=int, default=16, help="system messages")
    parser.add_argument("--prefix-words", type=int, default=150, help="words of each system message")
    parser.add_argument("--cached-tokens", type=int, default=3072, help="what the KV cache holds, in the second part")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if find_spec("vllm") is None:
        print("Skipped: it needs vLLM. `make test-vllm` makes an environment that has its CPU build.")
        return
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QUACKLLM_HOME"] = folder
        model, words = make_model(Path(folder) / "model", options)
        measured = {"tokens_per_second": throughput(model, words, options), "order": order(model, words, options)}
    report(measured, options)


def make_model(folder: Path, options: argparse.Namespace) -> tuple[str, list[str]]:
    """Make a Llama of random weights, its tokenizer from this project's pages; return its folder and their words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    pages = [page.read_text("utf-8") for page in (Path(__file__).parents[1] / "docs").glob("*.md")]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=4096, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(pages, trainer)
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", chat_template=template)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=options.width,
        intermediate_size=options.width * 8 // 3 // 32 * 32,
        num_hidden_layers=options.layers,
        num_attention_heads=options.width // 64,
        max_position_embeddings=2048,
    )
    model = LlamaForCausalLM(config)
    print(f"a Llama of {model.num_parameters() / 1e6:.0f} million parameters, {len(fast)} tokens")
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return str(folder), " ".join(pages).split()


def throughput(model: str, words: list[str], options: argparse.Namespace) -> dict[str, float]:
    """Return tokens a second of both ways, medians of rounds that take turns; each round has prompts of its own."""
    from vllm import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    drawn = random.Random(1)
    connection = deployed(model, {})
    seconds: dict[str, list[float]] = {"AsyncLLM, driven directly": [], "SQL, in this process": []}
    with asyncio.Runner() as runner:
        llm = AsyncLLM.from_engine_args(AsyncEngineArgs(model=model, disable_log_stats=True, **ENGINE))
        for number in range(options.rounds + 1):
            prompts = [" ".join(drawn.sample(words, 24)) for _ in range(options.rows)]
            started = perf_counter()
            assert runner.run(directly(llm, prompts, options.tokens)) == options.rows * options.tokens
            between = perf_counter()
            assert by_sql(connection, prompts, options.tokens) == options.rows * options.tokens
            if number:  # The first round warms up.
                seconds["AsyncLLM, driven directly"].append(between - started)
                seconds["SQL, in this process"].append(perf_counter() - between)
        llm.shutdown()
    print({name: [round(second, 2) for second in all_of_them] for name, all_of_them in seconds.items()})
    return {name: options.rows * options.tokens / median(times) for name, times in seconds.items()}


async def directly(llm: Any, prompts: list[str], tokens: int) -> int:
    """Ask AsyncLLM all prompts at once, as its documentation shows it; return how many tokens it wrote."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    tokenizer = llm.get_tokenizer()

    async def ask(number: int, prompt: str) -> int:
        turns = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        kind = RequestOutputKind.FINAL_ONLY
        params = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, output_kind=kind)
        written = 0
        async for output in llm.generate(text, params, f"{number} {prompt}"):
            written = len(output.outputs[0].token_ids)
        return written

    return sum(await asyncio.gather(*(ask(number, prompt) for number, prompt in enumerate(prompts))))


def deployed(model: str, more: dict[str, Any]) -> Any:
    """Deploy the model as `written`, and return a connection."""
    import quackllm

    params = {f"backend.{name}": value for name, value in {**ENGINE, **more}.items()}
    quackllm.deploy("written", "custom/auto", infer_params={"backend": "vllm", "model_path": model, **params})
    return quackllm.connect()


def by_sql(connection: Any, prompts: list[str], tokens: int) -> int:
    """Ask by a SELECT; return how many tokens were written."""
    return by_table(connection, [(None, prompt) for prompt in prompts], tokens)


def by_table(connection: Any, rows: list[tuple[str | None, str]], tokens: int) -> int:
    """Ask by a SELECT over a table of system messages and prompts, in that order."""
    systems, prompts = zip(*rows, strict=True)
    connection.execute(
        "CREATE OR REPLACE TABLE prompts AS SELECT unnest($1) AS system, unnest($2) AS prompt", [systems, prompts]
    )
    option = f"'max_tokens': {tokens}, 'extra': {{'ignore_eos': true}}"
    system = ", 'system_msg': system" if systems[0] else ""
    asked = f"SELECT written(llm_param({{'instruction': prompt, {option}{system}}})) AS r FROM prompts"
    (written,) = connection.execute(f"SELECT sum(r.usage.output_tokens) FROM ({asked})").fetchone()
    return int(written)


def order(model: str, words: list[str], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the part of prompt tokens that the prefix cache held, and seconds, by the order in which rows are sent."""
    more = {"num_gpu_blocks_override": options.cached_tokens // BLOCK, "block_size": BLOCK, "max_num_seqs": 4}
    connection = deployed(model, more)
    measured: dict[str, dict[str, float]] = {}
    ways = {"as they come": "off", "planned": "on", "sorted beforehand": "off"}
    for number, (way, prefetch) in enumerate(ways.items()):
        # Other words for each way, so that none finds another's prefixes; of one seed, so that they are alike.
        drawn = random.Random(number)
        systems = [" ".join(drawn.choices(words, k=options.prefix_words)) for _ in range(options.prefixes)]
        rows = [(drawn.choice(systems), " ".join(drawn.sample(words, 12))) for _ in range(options.rows)]
        connection.execute(f"SET VARIABLE llm_prefetch = '{prefetch}'")
        before, started = cache_counts(), perf_counter()
        by_table(connection, sorted(rows) if way == "sorted beforehand" else rows, 8)
        taken, after = perf_counter() - started, cache_counts()
        asked, held = (after[name] - before[name] for name in ("queries", "hits"))
        measured[way] = {"hit_rate": held / asked, "seconds": taken}
    return measured


def cache_counts() -> dict[str, float]:
    """Return how many prompt tokens vLLM has looked up in its prefix cache, and found there."""
    from vllm.v1.metrics.reader import Counter, get_metrics_snapshot

    counts = {"queries": 0.0, "hits": 0.0}
    for metric in get_metrics_snapshot():
        name = metric.name.removeprefix("vllm:prefix_cache_")
        if isinstance(metric, Counter) and name in counts:
            counts[name] += metric.value
    return counts


def report(measured: dict[str, Any], options: argparse.Namespace) -> None:
    """Print what was measured."""
    if options.json:
        print(json.dumps(measured, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    rates = measured["tokens_per_second"]
    limit = rates["AsyncLLM, driven directly"]
    table = Table("", "tokens/s", "of AsyncLLM", title=f"{options.rows} rows, {options.tokens} tokens each")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:,.0f}", f"{rate / limit:.0%}")
    Console().print(table)
    sizes = f"{options.rows} rows, {options.prefixes} system messages of {options.prefix_words} words"
    table = Table("rows", "prefix cache held", "seconds", title=f"{sizes}, a cache of {options.cached_tokens} tokens")
    for name, row in measured["order"].items():
        table.add_row(name, f"{row['hit_rate']:.0%}", f"{row['seconds']:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
