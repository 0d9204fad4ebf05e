"""The URLs of `databases.yaml`: opens their databases, and resolves references in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ....workers.errors import MissingExtraError, SetupError
from ....workers.secret_refs import resolve_secret
from .database import Database
from .duckdb_file import DuckDBFile

if TYPE_CHECKING:
    from sqlalchemy import URL

# The kinds of database that are a file.
FILES = ("sqlite", "duckdb")
EXAMPLE = "shop: postgresql://reader:env:SHOP_PASSWORD@db.example.org/shop"


def open_url(url: SecretStr, name: str) -> Database:
    """Return the database of a URL without references, without connecting to it yet.

    Raises:
        SetupError: this kind of database is not supported.
        MissingExtraError: its driver is not installed.
    """
    from .sqlalchemy_server import SqlAlchemyDatabase

    address = _address(url, name)
    if address.get_backend_name() == "duckdb":
        return DuckDBFile(Path(address.database or "").expanduser())
    return SqlAlchemyDatabase(address)


def resolve_url(url: SecretStr, name: str) -> SecretStr:
    """Return a URL with its references resolved, and the path of a file made absolute.

    Raises:
        SetupError: it is not a URL, or a reference cannot be resolved.
        MissingExtraError: SQLAlchemy is not installed.
    """
    address = _address(SecretStr(resolve_secret(url, f"the URL of the database {name}")), name)
    if address.password is not None:
        password = resolve_secret(SecretStr(str(address.password)), f"the password of the database {name}")
        address = address.set(password=password)
    if address.get_backend_name() in FILES and address.database not in (None, "", ":memory:"):
        # The process that opens the file may have started in another folder.
        address = address.set(database=str(Path(address.database or "").expanduser().absolute()))
    return SecretStr(address.render_as_string(hide_password=False))


def _address(url: SecretStr, name: str) -> URL:
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ModuleNotFoundError as error:
        hint = "type: pip install 'quackllm[databases]'"
        raise MissingExtraError(f"databases need the package {error.name}", hint=hint) from error
    try:
        return make_url(url.get_secret_value())
    except ArgumentError as error:
        raise SetupError(f"the URL of the database {name} cannot be read", hint=f"write e.g. {EXAMPLE}") from error


def database_file(url: SecretStr) -> Path | None:
    """Return the file of a resolved URL; None for a server."""
    address = _address(url, "")
    is_file = address.get_backend_name() in FILES and address.database not in (None, "", ":memory:")
    return Path(address.database or "") if is_file else None
