"""Form-encoded bodies (RFC 6749 appendix B)."""

from __future__ import annotations

from urllib.parse import parse_qsl

from .refusals import Refused


def parse_form(body: bytes) -> dict[str, str]:
    """The parameters, none of which may come twice (RFC 6749 §3.2)."""
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused("duplicate_oauth_params")
    return form
