"""What a refusal of the authorization server means (RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 9470).

The HTTP status alone decides nothing: Okta answers 400 ``temporarily_unavailable``, 429 ``invalid_grant`` and
403 ``server_error``. Nor does ``error`` alone: ``access_denied`` may be a policy's word about a user, or a trust
that nobody has set up. ``okta_refusals`` holds the table; what is ours to mend never becomes the user's 401,
which would send them to log in again and again.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ..errors import (
    AuthorizationServerThrottled,
    AuthorizationServerUnavailable,
    ExchangeDenied,
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    InteractionRequired,
    ProxyError,
    StepUpRequired,
    SubjectTokenRefused,
)
from ..jose.encoding import parse_json_object
from .answer import Answer, show
from .okta_refusals import CHECK_CLIENT, CHECK_URL, REFUSALS, Refusal

RETRY_AFTER = 2.0  # s, told to callers where the server names no time
PER_USER_RETRY_AFTER = 1.0  # s: Okta's limit for one user is counted by the second

_CODE = re.compile(r"[a-z][a-z0-9_.\-]{1,63}", re.IGNORECASE)
_ACR_VALUES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_PARAMETER = re.compile(r'(acr_values|max_age)="?([^",]*)"?')
# Neither a backslash, which browsers take for a slash, nor user information before the host.
_URI = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?][!#-\[\]-~]*)?")
_CLAIMS_ERRORS = frozenset({"interaction_required", "invalid_grant"})
_LONGEST_URI = 2048  # characters
_LONGEST_CLAIMS = 4096
_FAULTS = frozenset({"server_error", "temporarily_unavailable"})


def classify(answer: Answer, *, has_user: bool = True, hide: Collection[str] = ()) -> ProxyError:
    """The error that ``answer`` amounts to; anything but a token has come.

    Without a user nothing can be the user's fault. ``hide`` are secrets of the request, which the answer's
    texts might repeat.
    """
    document = answer.document or {}
    error = _parse_error(document.get("error"), hide)
    description = str(document.get("error_description") or document.get("errorSummary") or "")
    said = f"{error or 'without an error code'}: {show(description, hide)}"
    reason = f"the authorization server answered {answer.status} {said}"
    if answer.status == 429:
        return _throttled(reason, error)
    if answer.status >= 500 or answer.status == 408 or error in _FAULTS:
        return AuthorizationServerUnavailable(reason, retry_after=RETRY_AFTER, oauth_error=error)
    if error is None:
        return _unspoken(answer.status, reason)
    return _spoken(error, description, answer, reason, has_user=has_user)


def is_per_user(error: ProxyError) -> bool:
    """Whether only one user asked too often: 429 ``invalid_grant`` is that, and no other."""
    return isinstance(error, AuthorizationServerThrottled) and error.oauth_error == "invalid_grant"


def _parse_error(value: Any, hide: Collection[str]) -> str | None:
    """The code, which callers get to see: nothing but a name, and none of our secrets."""
    if not isinstance(value, str) or not _CODE.fullmatch(value) or value in hide:
        return None
    return value


def _throttled(reason: str, error: str | None) -> ProxyError:
    retry_after = PER_USER_RETRY_AFTER if error == "invalid_grant" else RETRY_AFTER
    return AuthorizationServerThrottled(reason, retry_after=retry_after, oauth_error=error)


def _unspoken(status: int, reason: str) -> ProxyError:
    """No OAuth error at all: a gateway in between, or a URL that is no token URL."""
    if status == 401:
        # Of our client most likely; but nothing says so, and one odd token must not close a route for all.
        return ExchangeMisconfigured(
            reason, remedy=CHECK_CLIENT, remember_for=10.0, remember_by="subject_token"
        )
    return ExchangeResponseInvalid(reason, remedy=CHECK_URL)


def _spoken(error: str, description: str, answer: Answer, reason: str, *, has_user: bool) -> ProxyError:
    row = _find(error, description)
    if row is None:
        return ExchangeResponseInvalid(reason, oauth_error=error)
    if not has_user and row.answer in (
        SubjectTokenRefused,
        StepUpRequired,
        ExchangeDenied,
        InteractionRequired,
    ):
        return ExchangeMisconfigured(
            reason, remedy=row.remedy, oauth_error=error, remember_for=10.0, remember_by="route"
        )
    asked = (answer.document or {}).get("claims") if error in _CLAIMS_ERRORS else None
    claims = _parse_claims_request(asked)
    if row.answer is StepUpRequired or claims is not None:
        return _step_up(reason, row, answer, claims)
    if row.answer is InteractionRequired:
        uri = (answer.document or {}).get("interaction_uri")
        return InteractionRequired(reason, oauth_error=error, interaction_uri=_parse_interaction_uri(uri))
    return row.answer(
        reason,
        remedy=row.remedy,
        oauth_error=error,
        remember_for=row.remember_for,
        remember_by=row.remember_by,
    )


def _find(error: str, description: str) -> Refusal | None:
    said = description.lower()
    return next((row for row in REFUSALS if row.error == error and row.says in said), None)


def _step_up(reason: str, row: Refusal, answer: Answer, claims: str | None) -> StepUpRequired:
    """RFC 9470 §3: the demand stands in the challenge; some servers put it into the body."""
    asked: dict[str, Any] = dict(_PARAMETER.findall(answer.headers.get("www-authenticate", "")))
    asked |= answer.document or {}
    return StepUpRequired(
        reason,
        remedy=row.remedy if row.answer is StepUpRequired else "",
        oauth_error=row.error,
        claims=claims,
        acr_values=_parse_acr_values(asked.get("acr_values")),
        max_age=_parse_max_age(asked.get("max_age")),
    )


def _parse_acr_values(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and len(value) <= 1024 and _ACR_VALUES.fullmatch(value):
        return tuple(value.split(" "))
    return ()


def _parse_claims_request(value: Any) -> str | None:
    """Entra ID's claims challenge: a JSON object as a text, to be passed on as it is."""
    if not isinstance(value, str) or len(value) > _LONGEST_CLAIMS:
        return None
    try:
        parse_json_object(value.encode())
    except ValueError:
        return None
    return value


def _parse_interaction_uri(value: Any) -> str | None:
    """An https URL that a browser and we read alike. Whose host it is on is not looked at here."""
    if not isinstance(value, str) or len(value) > _LONGEST_URI or not _URI.fullmatch(value):
        return None
    return value


def _parse_max_age(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
