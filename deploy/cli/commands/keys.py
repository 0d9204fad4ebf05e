"""`quackllm keys`: the API keys of the gateway, and their limits."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from ....udf.calls.prices import find_price
from ....workers.errors import RequestError
from ....workers.home import home_folder
from ....workers.serving.local_fleet import local_fleet
from ...gateway.auth.api_keys import add_key, read_keys, remove_key
from ...gateway.auth.usage_ledger import Ledger
from ...terminal_output import make_table, pluralize, print_line, print_table, show_json, stderr, stdout


def keys(
    action: Annotated[Literal["add", "list", "remove", "reset"], typer.Argument(help="What to do.")],
    name: Annotated[str | None, typer.Argument(help="The key's name.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="add: a model that it may use. Left out: all.")] = None,
    requests_per_minute: Annotated[float | None, typer.Option(help="add: more get status 429.")] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(help="add: input and output tokens.")] = None,
    most_at_once: Annotated[int | None, typer.Option(help="add: requests in flight in one process.")] = None,
    max_calls: Annotated[int | None, typer.Option(help="add: model calls until reset.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="add: tokens until reset.")] = None,
    max_money: Annotated[float | None, typer.Option(help="add: cost by prices.yaml until reset.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="add: the console shows it all keys and all costs.")] = False,
    file: Annotated[Path | None, typer.Option("--keys", help="Left out: keys.yaml in QUACKLLM_HOME.")] = None,
    json: Annotated[bool, typer.Option("--json", help="list: print JSON.")] = False,
) -> None:
    """Make, list and remove the gateway's API keys; `reset` sets the usage of a key to zero.

    Make a key with limits, list the usage of all keys, reset one, remove it:

        quackllm keys add alice --model qianwen_chat --requests-per-minute 60 --max-calls 10000
        quackllm keys list
        quackllm keys reset alice
        quackllm keys remove alice

    A key is shown once; the file stores its hash. A running gateway reads the file again when it changes.
    """
    path = file or home_folder() / "keys.yaml"
    if action == "list":
        _show(path, json)
        return
    if name is None:
        raise RequestError(f"`quackllm keys {action}` needs a name", hint=f"type: quackllm keys {action} alice")
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
            admin=admin or None,
        )
        if max_money is not None:
            _warn_if_unpriced(name, model)
        print_line(f"{name}'s key, which is not shown again:")
        print(key)
    elif action == "remove":
        remove_key(path, name)
        print_line(f"{name}: removed")
    else:
        _ledger(path).reset(name)
        print_line(f"{name}: usage reset")


def _warn_if_unpriced(name: str, models: list[str] | None) -> None:
    """Warn of the models, of those named or all deployed here, that have no price: a cost limit blocks them."""
    deployed = local_fleet().deployed()
    if unpriced := [model for model in models or deployed if model in deployed and find_price(deployed[model]) is None]:
        text = f"requests of {name} to {', '.join(unpriced)} are refused: there is no price in"
        print_line(f"{text} {home_folder() / 'prices.yaml'}", to=stderr, style="yellow")


def _ledger(path: Path) -> Ledger:
    return Ledger(path, home_folder() / "gateway.sqlite")


def _show(path: Path, as_json: bool) -> None:
    ledger = _ledger(path)
    api_keys = read_keys(path)
    if as_json:
        keys_fields = {
            name: key.model_dump(mode="json", exclude={"hash"}, exclude_none=True) for name, key in api_keys.items()
        }
        show_json(
            {name: {**fields, "spent": asdict(ledger.usage_of_key(name))} for name, fields in keys_fields.items()}
        )
        return
    table = make_table("name", "made", "models", "limits", "spent", numbers_from=5)
    for name, key in api_keys.items():
        limits = key.model_dump(exclude={"hash", "made", "models", "admin"}, exclude_none=True)
        spent = ledger.usage_of_key(name)
        table.add_row(
            f"{name} (admin)" if key.admin else name,
            str(key.made),
            ", ".join(key.models or ("all",)),
            ", ".join(f"{limit} {value:,g}" for limit, value in limits.items()),
            f"{pluralize(spent.calls, 'call')}, {pluralize(spent.tokens, 'token')}, cost {spent.money:,g}",
        )
    if api_keys:
        print_table(table)
    else:
        stdout.print("no keys: type quackllm keys add NAME")
