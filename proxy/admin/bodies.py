"""Request bodies, bounded before they are read: JSON objects, and the page's own forms."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from ..jose.encoding import parse_json_object
from .refusal import Refused

MAX_BODY = 64 * 1024  # bytes; the longest token is a quarter of it


async def read_json(request: Request, *names: str, optional: Collection[str] = ()) -> dict[str, str]:
    """The members ``names`` of a JSON object, each a text, not empty or missing unless it is ``optional``."""
    # Other sites cannot send this type without asking first (CORS), and nobody here answers such a question.
    if _media_type(request) != "application/json":
        raise Refused(415, "Send application/json.")
    try:
        document: dict[str, Any] = parse_json_object(await _read(request))
    except ValueError:
        raise Refused(400, "The body is not a JSON object.") from None
    return _pick(document, names, optional)


async def read_form(request: Request, *names: str, optional: Collection[str] = ()) -> dict[str, str]:
    """The fields ``names`` of an HTML form, each once, as ``read_json``."""
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise Refused(415, "Send application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl((await _read(request)).decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Refused(400, "The body is not a form.") from None
    if len(dict(pairs)) != len(pairs):
        raise Refused(400, "A field is there twice.")
    return _pick(dict(pairs), names, optional)


def _pick(found: dict[str, Any], names: tuple[str, ...], optional: Collection[str]) -> dict[str, str]:
    found = dict.fromkeys(optional, "") | found
    for name in (*names, *optional):
        if not isinstance(found.get(name), str) or not (found[name].strip() or name in optional):
            raise Refused(400, f"{name} must be a text that is not empty.")
    return {name: found[name].strip() for name in (*names, *optional)}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise Refused(413, "The body is too large.")
    return body
