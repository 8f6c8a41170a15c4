"""Problem details for HTTP (RFC 9457): what an error is answered by.

The answer holds the error's fixed texts, the authorization server's error code and the request's id. The reason,
and whatever else a foreign party said, stays in the log.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from ..errors import InteractionRequired, ProxyError
from .bearer import BEARER_ALONE, Schemes, build_challenges
from .headers import Field

Problem = tuple[int, list[Field], bytes]


def build_problem(
    error: ProxyError,
    *,
    request_id: str,
    resource_metadata: str | None = None,
    scopes: Sequence[str] = (),
    schemes: Schemes = BEARER_ALONE,
) -> Problem:
    """Status, header fields and body of the answer to a refused request.

    ``resource_metadata`` is the URL that challenges name (RFC 9728 §5.1), ``scopes`` what a new token should have;
    there is one challenge of each of ``schemes``.
    """
    body = json.dumps(_members(error, request_id), separators=(",", ":")).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode("latin-1")),
    ]
    challenges = build_challenges(error, schemes=schemes, resource_metadata=resource_metadata, scopes=scopes)
    headers += [(b"www-authenticate", challenge.encode("latin-1")) for challenge in challenges]
    if error.status == 503:
        # A caller that may come back is told when; one second where nothing better is known.
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after or 1.0))))
    return error.status, headers, body


def _members(error: ProxyError, request_id: str) -> dict[str, object]:
    members: dict[str, object] = {
        "type": f"urn:obo-proxy:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.oauth_error is not None:
        members["oauth_error"] = error.oauth_error
    if isinstance(error, InteractionRequired) and error.interaction_uri is not None:
        members["interaction_uri"] = error.interaction_uri
    return members
