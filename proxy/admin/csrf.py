"""A form is ours if it repeats what our own page's cookie says; another site can neither read nor guess it."""

from __future__ import annotations

import hmac
import secrets

from starlette.requests import Request
from starlette.responses import Response

from .refusal import Refused

FIELD = "form_key"
_COOKIE = "obo_form_key"
_SIZE = 32  # bytes


def find_form_key(request: Request) -> str:
    """The one that this browser has, else a new one."""
    known = request.cookies.get(_COOKIE, "")
    return known if len(known) >= _SIZE else secrets.token_urlsafe(_SIZE)


def set_form_key(response: Response, key: str) -> None:
    response.set_cookie(_COOKIE, key, path="/", httponly=True, samesite="strict")


def require_form_key(request: Request, presented: str) -> None:
    """403 unless the form's key is the cookie's."""
    known = request.cookies.get(_COOKIE, "")
    if len(known) < _SIZE or not hmac.compare_digest(known.encode(), presented.encode()):
        raise Refused(403, "This form is not from this page: load the page again.")
