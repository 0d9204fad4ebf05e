from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from quackllm.workers.builtin.network.beam_search import beam_search
from quackllm.workers.builtin.network.numpy_network import Network, load_network
from quackllm.workers.builtin.network.schema_linking import SchemaLinks, link
from quackllm.workers.builtin.network.weights_file import load_weights
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.grammar import is_keyword
from quackllm.workers.builtin.query.linearize import Linearizer
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.builtin.text.tokens import BUCKETS

torch = pytest.importorskip("torch")

from quackllm.workers.builtin.network.torch_network import NetworkConfig, TorchNetwork  # noqa: E402
from quackllm.workers.builtin.network.training_batches import (  # noqa: E402
    MAX_COLUMNS,
    Batch,
    ParserExample,
    batches,
    collate,
    drop_columns,
)
from quackllm.workers.builtin.network.weights_file import average_weights, save_weights  # noqa: E402

pytest_plugins = ["support.builtin_shop"]

SMALL = NetworkConfig(
    width=24, heads=2, encoder_layers=2, decoder_layers=2, inner=32, features=8, buckets=BUCKETS, steps=40
)
QUESTION = "Which customers older than 30 live in Paris?"
SQL = "SELECT name FROM customers WHERE age > 30 AND city = 'Paris'"


@pytest.fixture
def example(links: SchemaLinks) -> ParserExample:
    linked = link(QUESTION, links)
    tree = parse_sql(SQL, links.names)
    return ParserExample(linked, tuple(Linearizer([one.spellings for one in linked.candidates]).query(tree)))


def scores_of(network: TorchNetwork, batch: Batch) -> torch.Tensor:
    memory = network.encode(batch)
    return network.decode(memory, batch.hidden, batch.inputs, batch.states)


def test_numpy_computes_what_torch_does(example: ParserExample, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = TorchNetwork(SMALL).eval()
    for weight in trained.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    path = tmp_path / "weights.npz"
    save_weights(path, trained.state_dict(), SMALL)
    arrays, shape = load_weights(path)
    trained.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    network = Network(arrays, shape)
    (batch,) = batches([example], 1, random.Random(0), shuffled=False)
    expected = scores_of(trained, batch)[0].detach().numpy()
    ours, cache = network.encode(example.linked), network.cache(2)
    for place, scores in enumerate(expected):
        given, state = int(batch.inputs[0, place]), int(batch.states[0, place])
        np.testing.assert_allclose(network.step(ours, cache, [given] * 2, [state] * 2)[1], scores, atol=2e-3)


def test_padding_changes_nothing(example: ParserExample, links: SchemaLinks) -> None:
    longer = ParserExample(link(QUESTION + " Please tell me all of them now.", links), example.symbols)
    chance = random.Random(0)
    alone, beside = (
        collate([drop_columns(example, chance)]),
        collate([drop_columns(one, chance) for one in (example, longer)]),
    )
    trained = TorchNetwork(SMALL).eval()
    first, second = (scores_of(trained, batch) for batch in (alone, beside))
    width = alone.illegal.shape[2]
    torch.testing.assert_close(first[0], second[0, :, :width], atol=1e-4, rtol=1e-4)


def test_large_schemas_are_thinned_but_keep_what_is_asked_for(example: ParserExample) -> None:
    many = drop_columns(example, random.Random(0))
    assert len(many.selected) == len(example.linked.features) or len(many.selected) >= MAX_COLUMNS
    batch = collate([many])
    legal = batch.illegal[0].gather(1, batch.targets[0][:, None])
    assert (legal == 0).all()


def test_a_network_learns_one_answer_in_a_moment(example: ParserExample, names: SchemaIndex, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = TorchNetwork(SMALL, drop=0.0)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=5e-3)
    (batch,) = batches([example], 1, random.Random(0), shuffled=False)
    for _ in range(60):
        scores = scores_of(trained, batch) + batch.illegal
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), batch.targets.flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    path = tmp_path / "weights.npz"
    save_weights(path, trained.state_dict(), SMALL)
    best = beam_search(load_network(path), names, example.linked)[0]
    assert best.symbols == example.symbols
    assert not is_keyword(best.symbols[0], "DECLINE")


def test_the_mean_of_two_files_is_between_them(tmp_path: Path) -> None:
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        save_weights(path, TorchNetwork(SMALL).state_dict(), SMALL)
    average_weights(tmp_path / "mean.npz", paths)
    (one, shape), (two, _), (mean, same) = (load_weights(path) for path in (*paths, tmp_path / "mean.npz"))
    assert shape == same
    np.testing.assert_allclose(mean["widen.weight"], (one["widen.weight"] + two["widen.weight"]) / 2, atol=1e-3)
