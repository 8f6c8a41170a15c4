"""What must hold for the token that a route asks for, and for the place where it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ..http.headers import HOP_BY_HOP, fold
from .faults import Fault, got
from .files import check_secret_file
from .models import Route, TokenIn, TokenOut

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_QUERY_NAME = re.compile(r"[A-Za-z0-9._~-]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-\"$-~]+")  # absolute, without a fragment
_ACTOR_TYPES = ("jwt", "access_token", "id_token")
_ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
# fmt: off
# Fields by which HTTP itself works, or which somebody else sets.
NO_TOKEN_FIELDS = frozenset({
    "connection", "content-length", "content-type", "cookie", "expect", "host", "keep-alive", "te",
    "trailer", "transfer-encoding", "upgrade", "via",
})
# Fields that say other things of a request that we send.
_TAKEN = NO_TOKEN_FIELDS | {
    "dpop", "max-forwards", "proxy", "traceparent", "tracestate", "x-forwarded-for", "x-forwarded-host",
    "x-forwarded-proto", "x-request-id",
}
# fmt: on


def find_token_faults(place: str, route: Route) -> Iterator[Fault]:
    """Every fault of the token that ``route`` asks for, and of where it is shown."""
    requested = route.requested_token_type
    if requested is not None and requested not in ("access_token", "jwt") and not is_uri(requested):
        yield Fault(
            f"{place}.requested_token_type", f"neither access_token, jwt nor an absolute URI{got(requested)}"
        )
    if requested == _ID_JAG:
        yield Fault(
            f"{place}.requested_token_type",
            f"no API takes an ID-JAG: use grant: id_jag, which redeems it{got(requested)}",
        )
    for index, detail in enumerate(route.authorization_details):
        if not isinstance(detail.get("type"), str) or not detail["type"]:
            yield Fault(f"{place}.authorization_details[{index}].type", "required (RFC 9396 §2)")
        elif not _is_json(detail):
            yield Fault(
                f"{place}.authorization_details[{index}]", "has what JSON cannot hold: put dates in quotes"
            )
    yield from _find_token_out_faults(f"{place}.token_out", route.token_out, route.token_in)


def find_actor_faults(place: str, route: Route) -> Iterator[Fault]:
    """Every fault of the token that says who acts for the user."""
    actor = route.actor
    if actor is None:
        return
    if actor.file is not None and actor.header is not None:
        yield Fault(place, "needs either file or header")
    if actor.type not in _ACTOR_TYPES and not is_uri(actor.type):
        yield Fault(
            f"{place}.type", f"neither jwt, access_token, id_token nor an absolute URI{got(actor.type)}"
        )
    if actor.file is not None:
        yield from check_secret_file(f"{place}.file", actor.file)
    if actor.header is not None:
        yield from _find_out_header_faults(place, actor.header, "")
        if fold(actor.header.lower().encode(errors="replace")) in (
            b"authorization",
            _name_of(route.token_in),
        ):
            yield Fault(f"{place}.header", f"also where the caller's own token stands{got(actor.header)}")


def _name_of(token_in: TokenIn) -> bytes:
    return fold((token_in.header or "").lower().encode(errors="replace"))


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def is_uri(text: str) -> bool:
    """Whether ``text`` is an absolute URI without a fragment."""
    return _URI.fullmatch(text) is not None


def find_token_in_faults(place: str, token_in: TokenIn) -> Iterator[Fault]:
    """Every fault of the place where callers show their tokens."""
    if (token_in.header is None) == (token_in.query is None):
        yield Fault(place, "needs either header or query")
    yield from _find_query_faults(place, token_in.query)
    yield from _find_loose_scheme(place, token_in)
    if token_in.header is not None:
        yield from _find_header_faults(place, token_in.header, token_in.scheme)


def _find_token_out_faults(place: str, token_out: TokenOut, token_in: TokenIn) -> Iterator[Fault]:
    given = [one for one in (token_out.header, token_out.query, token_out.cookie) if one is not None]
    if len(given) != 1:
        yield Fault(place, "needs one of header, query and cookie")
        return
    yield from _find_query_faults(place, token_out.query)
    yield from _find_loose_scheme(place, token_out)
    if token_out.cookie is not None and not TOKEN.fullmatch(token_out.cookie):
        yield Fault(f"{place}.cookie", f"not the name of a cookie{got(token_out.cookie)}")
    if token_out.header is not None:
        yield from _find_out_header_faults(place, token_out.header, token_out.scheme)
    if _meet(token_out, token_in):
        yield Fault(
            place,
            "also the place of the caller's own token (token_in), for which the API could take it: name another",
        )


def _find_query_faults(place: str, name: str | None) -> Iterator[Fault]:
    if name is not None and not _QUERY_NAME.fullmatch(name):
        yield Fault(f"{place}.query", f"not the name of a query parameter{got(name)}")


def _find_loose_scheme(place: str, where: TokenIn | TokenOut) -> Iterator[Fault]:
    if where.header is None and where.is_given("scheme"):
        yield Fault(f"{place}.scheme", "only a header has one")


def _find_header_faults(place: str, header: str, scheme: str) -> Iterator[Fault]:
    if not TOKEN.fullmatch(header) or header.lower() in NO_TOKEN_FIELDS:
        yield Fault(f"{place}.header", f"not a header that may carry a token{got(header)}")
    if scheme and not TOKEN.fullmatch(scheme):
        yield Fault(f"{place}.scheme", f"not an authentication scheme{got(scheme)}")
    if not scheme and header.lower() == "authorization":
        yield Fault(
            f"{place}.scheme", "must not be empty for Authorization: any credentials would pass as a token"
        )


def _find_out_header_faults(place: str, header: str, scheme: str) -> Iterator[Fault]:
    folded = fold(header.lower().encode(errors="replace"))
    if (
        not TOKEN.fullmatch(header)
        or folded in HOP_BY_HOP
        or folded.decode("ascii", "replace") in _TAKEN
        or folded.startswith(b"sec-websocket-")
    ):
        yield Fault(f"{place}.header", f"not a header that may carry a token{got(header)}")
    if scheme and not TOKEN.fullmatch(scheme):
        yield Fault(f"{place}.scheme", f"not an authentication scheme{got(scheme)}")


def _meet(token_out: TokenOut, token_in: TokenIn) -> bool:
    """Whether both stand in one place; of ``Authorization`` every API knows that a proxy sets it anew."""
    if token_out.query is not None:
        return token_out.query == token_in.query
    if token_out.header is None or token_in.header is None or token_out.header.lower() == "authorization":
        return False
    return fold(token_out.header.lower().encode()) == fold(token_in.header.lower().encode())
