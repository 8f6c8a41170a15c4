"""RFC 9396: authorization details, as they are asked for, and whether what was granted holds them all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..errors import ExchangeResponseInvalid


def build_authorization_details(details: Sequence[Mapping[str, Any]]) -> str | None:
    """The parameter's value (§2): JSON in one spelling; None where nothing is asked for."""
    return json.dumps(details, sort_keys=True, separators=(",", ":")) if details else None


def check_granted(granted: Any, asked: str, *, leg: Literal[1, 2] | None = None) -> None:
    """Raises ExchangeResponseInvalid where ``granted``, of the answer (§7), is less than what was ``asked``.

    The first of two legs may leave it out: what counts is granted in the second.
    """
    if granted is None and leg == 1:
        return
    if not isinstance(granted, list):
        raise ExchangeResponseInvalid("the answer does not say which authorization_details were granted")
    for detail in json.loads(asked):
        if not any(_holds(each, detail) for each in granted):
            raise ExchangeResponseInvalid(
                "the token has narrower authorization_details than were asked for",
                remedy="Ask for those alone that the authorization server's policy gives to these users.",
            )


def _holds(granted: Any, asked: Any) -> bool:
    """Whether all of ``asked`` is there: every member of an object, every element of a list, else the same value."""
    if isinstance(asked, dict):
        if not isinstance(granted, dict):
            return False
        return all(name in granted and _holds(granted[name], value) for name, value in asked.items())
    if isinstance(asked, list):
        return isinstance(granted, list) and all(any(_holds(one, each) for one in granted) for each in asked)
    return type(granted) is type(asked) and bool(granted == asked)
