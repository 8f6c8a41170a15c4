"""What is told of one exchange when it has ended: to the log, the counters and the traces.

Of the user there is a digest of issuer and subject, so that lines of one user can be found together, and by
whoever knows the subject; of tokens, secrets and extra parameters there is nothing.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from ..authentication.claims import IMPERSONAL
from ..authentication.subject_token import SubjectToken
from ..errors import ProxyError
from .answer import show
from .endpoint import Call
from .token_exchange import TokenRequest

_ACTORS = 8  # of a chain, the latest first
_DIGITS = 16  # of the digest: 64 bits tell any number of users apart


class ExchangeRecord(NamedTuple):
    """One grant with all its tries.

    ``subject_token`` is the user's, None without one; ``outcome`` is ``ok`` or the error's code; ``tries`` are requests
    made; ``status`` and ``okta_request_id`` those of the last answer. What it takes time to say is said when asked.
    """

    authorization_server: str
    request: TokenRequest
    subject_token: SubjectToken | None
    client_id: str | None
    outcome: str
    seconds: float
    tries: int
    status: int | None
    okta_request_id: str | None
    error: ProxyError | None

    @property
    def subject(self) -> str | None:
        """A digest of the user."""
        return None if self.subject_token is None else hash_subject(self.subject_token)

    def fields(self) -> dict[str, Any]:
        """The canonical line's fields, flat; actors are those who act by the user's token, the latest first."""
        error, subject_token = self.error, self.subject_token
        actors = subject_token.actors if subject_token else ()
        return {
            "authorization_server": self.authorization_server,
            "issuer": subject_token.issuer if subject_token else None,
            "subject": self.subject,
            "client_id": self.client_id,
            "actors": " ".join(show(actor) or "?" for actor in actors[:_ACTORS]) or None,
            "grant": self.request.grant,
            "leg": self.request.leg,
            "audience": " ".join(self.request.audience) or None,
            "resource": " ".join(self.request.resource) or None,
            "scopes": " ".join(self.request.scopes),
            "outcome": self.outcome,
            "tries": self.tries,
            "seconds": round(self.seconds, 6),
            "status": self.status,
            "oauth_error": error.oauth_error if error else None,
            "reason": str(error) if error else None,
            "remedy": error.remedy if error else None,
            "okta_request_id": self.okta_request_id,
        }


def build_record(
    authorization_server: str,
    client_id: str | None,
    request: TokenRequest,
    subject_token: SubjectToken | None,
    call: Call,
    error: ProxyError | None,
    seconds: float,
) -> ExchangeRecord:
    """The record of a grant that has ended, by ``error`` or with a token."""
    if request.grant == "client_credentials":
        subject_token = None  # whoever caused it, it is nobody's
    return ExchangeRecord(
        authorization_server=authorization_server,
        request=request,
        subject_token=subject_token,
        client_id=client_id,
        outcome=error.code if error else "ok",
        seconds=seconds,
        tries=call.tries,
        status=call.status,
        okta_request_id=call.request_id,
        error=error,
    )


def find_private_values(subject_token: SubjectToken) -> list[str]:
    """What the token says of the user: the texts of all claims but those that say where it is from and for.

    And what the actor's token says of who acts, where one came along.
    """
    found = [] if subject_token.actor is None else find_private_values(subject_token.actor)
    found.append(subject_token.subject)
    for name, value in subject_token.claims.items():
        if name not in IMPERSONAL:
            found += [
                text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
            ]
    return found


def hash_subject(subject_token: SubjectToken) -> str:
    """SHA-256 of ``issuer|sub``, its first 16 hexadecimal digits."""
    named = f"{subject_token.issuer}|{subject_token.subject}"
    return sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
