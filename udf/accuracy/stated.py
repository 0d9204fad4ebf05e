"""What a call and the SQL variables state about accuracy, and by whom answers may be given instead of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...workers.errors import RequestError
from .guarantee import Guarantee

OF_FILTERS = ("recall", "precision")
FUNCTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("filter", "match"), ("accuracy", *OF_FILTERS)),
    **dict.fromkeys(("classify", "choose", "sentiment"), ("accuracy",)),
}
"""The functions whose answers can be right or wrong, and what can be stated about them."""
OFF = "off"


@dataclass(frozen=True)
class Stated:
    """What is stated about one call.

    Args:
        guarantee: what holds of its answers.
        helper: a smaller deployment that may answer; None: there is none.
        proxy: the deployment whose vectors a proxy learns from; None: no proxy may answer.
    """

    guarantee: Guarantee
    helper: str | None
    proxy: str | None


def read_stated(function: str, given: Mapping[str, Any], variables: Mapping[str, Any]) -> Stated | None:
    """Return what is stated about a call; None where the model has to give every answer.

    Args:
        function: a key of `SHAPES`.
        given: the call's own arguments; what it says goes before the variables.
        variables: by name, without `llm_`.

    Raises:
        RequestError: a share that is none, or an accuracy with a recall or a precision.
    """
    own = {name: given[name] for name in FUNCTIONS.get(function, ()) if given.get(name) is not None}
    if "accuracy" in own and len(own) > 1:
        raise RequestError(
            "state either an accuracy, or a recall and a precision",
            hint="type ai_filter(body, 'is praise', recall := 0.9, precision := 0.9)",
        )
    shares = own or _from_variables(function, variables)
    confidence = given.get("confidence") or variables["confidence"]
    guarantee = Guarantee(**{name: _number(name, value) for name, value in shares.items()}, confidence=confidence)
    if not guarantee.is_stated:
        return None
    proxy = variables["proxy"]
    return Stated(guarantee, given.get("helper") or variables["helper"], None if proxy == OFF else proxy)


def _from_variables(function: str, variables: Mapping[str, Any]) -> dict[str, float]:
    """Return what the variables state: of filters the recall and precision, where one is set, else the accuracy."""
    names = FUNCTIONS.get(function, ())
    found = {name: variables[name] for name in names if variables[name] is not None}
    of_filter = {name: share for name, share in found.items() if name in OF_FILTERS}
    return of_filter or found


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"{name} is {value!r}", hint=f"type a share between 0 and 1: {name} := 0.95")
    return float(value)
