"""`quackllm keys`: who may ask the gateway, and how much."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from ....udf.calls.prices import price_of
from ....workers.errors import RequestError
from ....workers.home import home_folder
from ....workers.serving.local_fleet import local_fleet
from ...console import show_json, stderr, stdout
from ...gateway.auth.api_keys import add_key, read_keys, remove_key
from ...gateway.auth.usage_ledger import Ledger


def keys(
    action: Annotated[Literal["add", "list", "remove", "reset"], typer.Argument(help="What to do.")],
    name: Annotated[str | None, typer.Argument(help="Whose key it is.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="add: a model that it may ask. Left out: all.")] = None,
    requests_per_minute: Annotated[float | None, typer.Option(help="add: more get 429.")] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(help="add: read and written.")] = None,
    most_at_once: Annotated[int | None, typer.Option(help="add: requests under way in one process.")] = None,
    max_calls: Annotated[int | None, typer.Option(help="add: calls of models, until reset.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="add: tokens, until reset.")] = None,
    max_money: Annotated[float | None, typer.Option(help="add: money by prices.yaml, until reset.")] = None,
    file: Annotated[Path | None, typer.Option("--keys", help="Left out: keys.yaml in QUACKLLM_HOME.")] = None,
    json: Annotated[bool, typer.Option("--json", help="list: print JSON.")] = False,
) -> None:
    """Make, list and remove the keys that the gateway asks for; what each has spent begins anew with `reset`.

    A key for Alice, with her limits; what all have spent; hers from nothing again; and no more:

        quackllm keys add alice --model qianwen_chat --requests-per-minute 60 --max-calls 10000
        quackllm keys list
        quackllm keys reset alice
        quackllm keys remove alice

    A key is shown once; the file keeps its hash. A running gateway reads the file again when it changes.
    """
    path = file or home_folder() / "keys.yaml"
    if action == "list":
        _show(path, json)
        return
    if name is None:
        raise RequestError(f"whose key? {action} takes a name", hint=f"type: quackllm keys {action} alice")
    if action == "add":
        key = add_key(
            path,
            name,
            models=model,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            most_at_once=most_at_once,
            max_calls=max_calls,
            max_tokens=max_tokens,
            max_money=max_money,
        )
        if max_money is not None:
            _warn_of_prices(name, model)
        stdout.print(f"{name}'s key, which is not shown again:", highlight=False, markup=False)
        print(key)
    elif action == "remove":
        remove_key(path, name)
        stdout.print(f"{name}: removed", highlight=False, markup=False)
    else:
        _ledger(path).reset(name)
        stdout.print(f"{name}: begins anew", highlight=False, markup=False)


def _warn_of_prices(name: str, models: list[str] | None) -> None:
    """Name those of the models, or of all that are deployed here, that a budget of money keeps from answering."""
    deployed = local_fleet().deployed()
    if unknown := [model for model in models or deployed if model in deployed and price_of(deployed[model]) is None]:
        told = f"no request of {name}'s is answered by {', '.join(unknown)}, whose price is not in"
        stderr.print(
            f"{told} {home_folder() / 'prices.yaml'}", style="yellow", highlight=False, markup=False, soft_wrap=True
        )


def _ledger(path: Path) -> Ledger:
    return Ledger(path, home_folder() / "gateway.sqlite")


def _show(path: Path, as_json: bool) -> None:
    ledger = _ledger(path)
    found = read_keys(path)
    if as_json:
        shown = {name: key.model_dump(mode="json", exclude={"hash"}, exclude_none=True) for name, key in found.items()}
        show_json({name: {**fields, "spent": asdict(ledger.spent(name))} for name, fields in shown.items()})
        return
    table = Table("name", "made", "models", "limits", "spent")
    for name, key in found.items():
        limits = key.model_dump(exclude={"hash", "made", "models"}, exclude_none=True)
        spent = ledger.spent(name)
        table.add_row(
            name,
            str(key.made),
            ", ".join(key.models or ("all",)),
            ", ".join(f"{limit} {value:,g}" for limit, value in limits.items()),
            f"{spent.calls:,} calls, {spent.tokens:,} tokens, {spent.money:,g} money",
        )
    stdout.print(table if found else "no keys: type quackllm keys add NAME")
