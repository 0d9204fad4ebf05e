"""Train the built-in model on the data folder's train/ questions and write its weights.

    QUACKLLM_DATA=/path/to/data python -m quackllm.udf.text2sql.builtin_training.train --minutes 70 --out weights.npz

Needs torch (the extra `train`), and no GPU. The same command goes on with a run that was interrupted: until the run is
over, a `.checkpoint` lies beside the weights. The weights are the running mean over the last steps, as float16.

With one GPU for ten minutes, prepare the examples before, on any machine:

    train="python -m quackllm.udf.text2sql.builtin_training.train --cache examples.pickle"
    $train --prepare
    $train --device cuda --half --batch 120 --rate 8e-4 --drop 0.2 --wordless 0.15 --minutes 9 --out weights.npz
"""

from __future__ import annotations

import argparse
import logging
import math
import pickle
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch.nn import functional

from ....workers.builtin.network.numpy_network import Network
from ....workers.builtin.network.torch_network import NetworkConfig, TorchNetwork
from ....workers.builtin.network.training_batches import Batch, ParserExample, batches
from ....workers.builtin.network.weights_file import average_weights, load_weights, save_weights
from ....workers.errors import SetupError
from ..evaluation.datasets import Question, load_questions
from .augment import generated_examples
from .business_questions import business_examples, spoken_schemas
from .calibrate import count_right, held_out_questions
from .training_examples import (
    CHINESE_UNANSWERABLE,
    UNANSWERABLE,
    ExampleSets,
    chinese_examples,
    spider_examples,
    table_examples,
    table_links,
)
from .unanswerable import unanswerable_examples

log = logging.getLogger("train_builtin")
WARM_UP = 200
BUSINESS = 30_000  # How many business questions are made, of which each epoch draws a share.
UNANSWERABLE_COUNT = 3_000
EMA_DECAY = 0.999
MAX_HELD_OUT = 350  # Examples of each language that a report measures.


def prepare(cache: Path | None, tables: int) -> ExampleSets:
    """Return the examples, from a cache file if there is one."""
    if cache and cache.exists():
        found: ExampleSets = pickle.loads(cache.read_bytes())
        return found
    suites = {name: load_questions(name, "train") for name in ("spider", "spider_synonyms", "cosql")}
    found = spider_examples(suites)
    questions = random.Random(0).sample(load_questions("wikisql", "train"), tables)
    found.tables = table_examples(questions, random.Random(0))
    chinese_examples(found, load_questions("chase_zh", "train"))
    weight = len(questions) // 200
    found.english.strangers = [one.question for one in questions] + UNANSWERABLE.replace("\n", "|").split("|") * weight
    found.chinese.strangers = CHINESE_UNANSWERABLE.replace("\n", "|").split("|")
    chance, links = random.Random(0), table_links(questions, 4000)
    found.generated = generated_examples(found.english, links, min(16000, len(found.train)), chance)
    found.chinese_augmented = generated_examples(found.chinese, [], min(3000, len(found.wide)), chance)
    count = min(BUSINESS, 2 * len(found.train))
    found.business = business_examples(spoken_schemas(found.english.links, found.chinese.links), count, chance)
    pools = (found.english, found.chinese)
    turns = [(turn, pool.links[name]) for pool in pools for name in pool.links for turn in pool.turns[name]]
    found.unanswerable = unanswerable_examples(turns, min(UNANSWERABLE_COUNT, len(found.train) // 4), chance)
    if cache:
        cache.write_bytes(pickle.dumps(found))
    return found


def compute_loss(network: TorchNetwork, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean loss over a batch's symbols, and for each example whether all most likely symbols are right."""
    memory = network.encode(batch)
    scores = network.decode(memory, batch.hidden, batch.inputs, batch.states) + batch.illegal
    loss = functional.cross_entropy(scores.flatten(0, 1), batch.targets.flatten(), ignore_index=-100)
    right = ((scores.argmax(-1) == batch.targets) | (batch.targets == -100)).all(1)
    return loss, right


def on_device(batch: Batch, device: str) -> Batch:
    """Return a batch on a device."""
    if device == "cpu":
        return batch
    return Batch(*(getattr(batch, part.name).to(device, non_blocking=True) for part in fields(Batch)))


def exact_match(network: TorchNetwork, examples: Sequence[ParserExample]) -> float:
    """Return the share of examples whose whole sequence is right with greedy decoding; nan without examples."""
    if not examples:
        return math.nan
    network.eval()
    with torch.no_grad():
        device = next(network.parameters()).device.type
        found = batches(examples, 40, random.Random(0), shuffled=False)
        rights = [compute_loss(network, on_device(batch, device))[1] for batch in found]
    network.train()
    return float(torch.cat(rights).float().mean())


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """The settings of one run; its length is in minutes, or in steps if `steps` is given."""

    minutes: float
    steps: int | None
    rate: float
    drop: float
    wordless: float
    seed: int
    half: bool
    device: str = "cpu"


class Trainer:
    """One run: AdamW, warm-up, then a linear decay to zero; keeps a running mean of the weights."""

    def __init__(self, examples: ExampleSets, shape: NetworkConfig, course: TrainingConfig) -> None:
        torch.manual_seed(course.seed)
        self.examples, self.course = examples, course
        self.chance = random.Random(course.seed)
        self.network = TorchNetwork(shape, course.drop).to(course.device)
        self.mean = TorchNetwork(shape).to(course.device)
        self.mean.load_state_dict(self.network.state_dict())
        self.mean.requires_grad_(False)
        decayed = [weight for weight in self.network.parameters() if weight.dim() > 1]
        plain = [weight for weight in self.network.parameters() if weight.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=course.rate, betas=(0.9, 0.98), fused=True)
        self.began, self.steps = time.monotonic(), 0

    def resume(self, path: Path) -> None:
        """Start from the weights of a file; rows that are not in the file keep their initial values."""
        arrays = load_weights(path)[0]
        for network in (self.network, self.mean):
            own = self.network.state_dict()
            for name, array in arrays.items():
                own[name][: len(array)] = torch.from_numpy(array)
            network.load_state_dict(own)

    def save_checkpoint(self, path: Path) -> None:
        """Write what a later run of the same command needs to go on; the old file stays until the new one is whole."""
        state = {
            "course": asdict(self.course),
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "chance": self.chance.getstate(),
            "seconds": time.monotonic() - self.began,
            "steps": self.steps,
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def load_checkpoint(self, path: Path) -> None:
        """Go on where a run stopped, with a new epoch.

        Raises:
            SetupError: the run had other settings.
        """
        state = torch.load(path, map_location=self.course.device, weights_only=False)
        if state["course"] != asdict(self.course):
            raise SetupError(
                f"{path} is of a run with other settings", hint="type the same options, or remove the file"
            )
        self.network.load_state_dict(state["network"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.chance.setstate(state["chance"])
        self.began, self.steps = time.monotonic() - state["seconds"], state["steps"]

    @property
    def elapsed(self) -> float:
        """The completed share of the run, at most 1."""
        if self.course.steps is not None:
            return min(self.steps / self.course.steps, 1.0)
        return min((time.monotonic() - self.began) / (self.course.minutes * 60), 1.0)

    def step(self, batch: Batch) -> float:
        """Train on one batch."""
        rate = self.course.rate * min(1.0, (self.steps + 1) / WARM_UP) * (0.02 + 0.98 * (1 - self.elapsed))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.course.device, dtype=torch.bfloat16, enabled=self.course.half):
            loss, _ = compute_loss(self.network, on_device(batch, self.course.device))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.steps += 1
        keep = min(EMA_DECAY, self.steps / (self.steps + 10))
        torch._foreach_lerp_(list(self.mean.parameters()), list(self.network.parameters()), 1 - keep)
        return float(loss.item())

    def epoch_examples(self) -> list[ParserExample]:
        """Return one epoch's examples: every question, a share of the one-table and generated ones, and declines."""
        found = self.examples
        english, chinese = len(found.train), len(found.wide)
        drawn = self._draw(found.tables, english // 3) + self._draw(found.generated, english // 6)
        drawn += self._draw(found.chinese_augmented, chinese // 6) + self._draw(found.crossed, chinese * 2 // 3)
        drawn += self._draw(found.business, english * 2 // 3) + self._draw(found.renamed, english // 8)
        drawn += self._draw(found.unanswerable, english // 9)
        drawn += found.english.declined(english // 11, self.chance)
        drawn += found.chinese.declined(chinese // 11, self.chance)
        return [*found.train, *found.wide, *drawn]

    def _draw(self, examples: list[ParserExample], limit: int) -> list[ParserExample]:
        return self.chance.sample(examples, min(len(examples), limit))

    def run(self, out: Path, batch_size: int, save_seconds: float = 400) -> None:
        """Train until the time is over; write the weights every few minutes and at the end."""
        saved, losses = time.monotonic(), []
        while self.elapsed < 1:
            for batch in batches(self.epoch_examples(), batch_size, self.chance, wordless=self.course.wordless):
                losses.append(self.step(batch))
                if time.monotonic() - saved > save_seconds or self.elapsed >= 1:
                    saved = time.monotonic()
                    self.report(out, losses, batch_size)
                    self.save_checkpoint(checkpoint_path(out))
                    losses = []
                if self.elapsed >= 1:
                    break
        self.report(out, losses or [math.nan], batch_size)
        checkpoint_path(out).unlink(missing_ok=True)

    def report(self, out: Path, losses: list[float], batch_size: int) -> None:
        """Write the weights and one line of the log."""
        save_weights(out, self.mean.state_dict(), self.mean.shape)
        found = self.examples
        sets = (found.held_out, found.chinese_held_out, found.crossed_held_out)
        held_out = [exact_match(self.mean, kept[:: len(kept) // MAX_HELD_OUT + 1]) for kept in sets]
        seconds = time.monotonic() - self.began
        log.info(
            "%5.0f s, step %d, %.0f examples/s, loss %.3f, held out exact: English %.3f, Chinese %.3f, crossed %.3f",
            *(seconds, self.steps, self.steps * batch_size / seconds, sum(losses) / len(losses), *held_out),
        )


def checkpoint_path(out: Path) -> Path:
    """Return where a run keeps its state until it is over."""
    return out.with_suffix(".checkpoint")


def choose_weights(out: Path, paths: Sequence[Path], questions: Sequence[Question]) -> None:
    """Write those weights that answer most questions correctly; of equal ones the first.

    Args:
        out: the weights file to write.
        paths: the weights to choose from.
        questions: of databases that no weights were trained on. Never dev questions: figures on them would be too good.
    """
    counts = {path: count_right(Network(*load_weights(path)), questions) for path in paths}
    for path, count in counts.items():
        log.info("%s: %d of %d right (%.1f %%)", path, count, len(questions), 100 * count / len(questions))
    out.write_bytes(max(paths, key=lambda path: counts[path]).read_bytes())


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("weights.npz"), help="the weights file to write")
    parser.add_argument("--prepare", action="store_true", help="train nothing: only write the examples to --cache")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for a GPU")
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--steps", type=int, help="so many steps, however long they take")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--drop", type=float, default=0.1)
    parser.add_argument("--tables", type=int, default=20000, help="how many WikiSQL questions to draw from")
    parser.add_argument("--cache", type=Path, help="keep the prepared examples in this file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wordless", type=float, default=0.06, help="how often an item loses its words")
    parser.add_argument("--half", action="store_true", help="bfloat16 arithmetic, where the processor has it")
    parser.add_argument("--start", type=Path, help="go on from these weights")
    parser.add_argument("--average", type=Path, nargs="+", help="train nothing: write the mean of these weights")
    parser.add_argument(
        "--choose", type=Path, nargs="+", help="train nothing: write the best of these weights on held-out databases"
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if given.average:
        average_weights(given.out, given.average)
        return
    if given.choose:
        choose_weights(given.out, given.choose, held_out_questions())
        return
    torch.set_num_threads(1)
    examples = prepare(given.cache, given.tables)
    counts = (*map(len, (examples.train, examples.tables, examples.wide, examples.held_out)), examples.dropped)
    log.info("%d examples, %d of one table, %d Chinese, %d held out, %d dropped for their values", *counts)
    if given.prepare:
        return
    settings = (
        given.minutes,
        given.steps,
        given.rate,
        given.drop,
        given.wordless,
        given.seed,
        given.half,
        given.device,
    )
    trainer = Trainer(examples, NetworkConfig(), TrainingConfig(*settings))
    if checkpoint_path(given.out).exists():
        trainer.load_checkpoint(checkpoint_path(given.out))
        log.info("going on at step %d", trainer.steps)
    elif given.start:
        trainer.resume(given.start)
    log.info("%d parameters", sum(weight.numel() for weight in trainer.network.parameters()))
    trainer.run(given.out, given.batch)


if __name__ == "__main__":
    main()
