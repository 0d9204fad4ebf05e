"""A user's own prompt form as a YAML file with named parts, checked when it is read.

user: |                     # needed; {schema} and {question} are needed in it
  {schema}

  -- {question}
system: You write SQL.      # the system message
schema: ddl                 # mschema (the default), ddl or bare_ddl
repair: |                   # the next turn after an error; left out: the model is not asked again
  {error}
  Correct the query.
"""

from __future__ import annotations

from pathlib import Path
from string import Formatter
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ....workers.errors import SetupError

ALLOWED = {"user": {"schema", "question", "notes"}, "system": {"schema", "notes"}, "repair": {"sql", "error"}}
NEEDED = {"user": {"question"}, "repair": {"error"}}


class FormatFile(BaseModel):
    """The parts of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str
    system: str = ""
    repair: str = ""
    schema_form: Literal["mschema", "ddl", "bare_ddl"] = "mschema"
    answer: str = "{sql}"

    @field_validator("user", "system", "repair")
    @classmethod
    def _check_places(cls, text: str, info: object) -> str:
        name = str(getattr(info, "field_name", ""))
        try:
            places = {place for _, place, _, _ in Formatter().parse(text) if place is not None}
        except ValueError as error:
            raise ValueError(f"{error}; a brace that is meant as it is, is written twice: {{{{") from error
        if wrong := places - ALLOWED[name]:
            raise ValueError(f"it may hold {_braces(ALLOWED[name])}, not {_braces(wrong)}")
        if text and (missing := NEEDED.get(name, set()) - places):
            raise ValueError(f"{_braces(missing)} is missing")
        return text


def read_format_file(path: Path) -> FormatFile:
    """Return the parts of a file.

    Raises:
        SetupError: it cannot be read, a part is unknown or missing, or holds a wrong place.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or {}
        if isinstance(content, dict) and "schema" in content:
            content["schema_form"] = content.pop("schema")
        parts = FormatFile.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SetupError(f"the prompt form {path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        part = ".".join(map(str, first["loc"])).replace("schema_form", "schema") or "the file"
        hint = "the parts are user, system, repair, schema and answer: see docs/text2sql.md, Prompt forms"
        raise SetupError(f"the prompt form {path}: {part}: {first['msg']}", hint=hint) from error
    if "{schema}" not in parts.user + parts.system:
        raise SetupError(f"the prompt form {path}: {{schema}} is missing", hint="write it in user or in system")
    return parts


def _braces(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
