"""W3C Trace Context: which callers' traces go on as they came, where we make no spans of our own.

What is not of the grammar is dropped (§3.2.2, §3.3.1): it would be written into other people's logs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .headers import Ended, Field

TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"

# version - trace id - parent id - flags; versions that are not known yet may say more after that (§4.1).
_TRACEPARENT = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-[!-~]{0,200})?"
)
_MEMBER = re.compile(rb"[ \t]*([a-z0-9][a-z0-9_\-*/@]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~][ \t]*")
_MOST_MEMBERS = 32
_LONGEST_STATE = 2048  # bytes; 512 is what everybody must pass on (§3.3.1.5)


def build_trace_fields(ended: Ended) -> list[Field]:
    """The caller's ``traceparent`` and ``tracestate`` as they go on; none where the former is not well-formed."""
    traceparent: Sequence[bytes] = ended.get(TRACEPARENT, ())
    if not _is_traceparent(traceparent):
        return []
    fields = [(TRACEPARENT, traceparent[0])]
    tracestate = b",".join(ended.get(TRACESTATE, ()))
    if _is_tracestate(tracestate):
        fields.append((TRACESTATE, tracestate))
    return fields


def _is_traceparent(values: Sequence[bytes]) -> bool:
    found = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    return found is not None and (found["version"] != b"00" or found["more"] is None)


def _is_tracestate(value: bytes) -> bool:
    members = [member for member in value.split(b",") if member.strip(b" \t")]
    if not 0 < len(members) <= _MOST_MEMBERS or len(value) > _LONGEST_STATE:
        return False
    keys = {found[1] for member in members if (found := _MEMBER.fullmatch(member))}
    return len(keys) == len(members)  # each well-formed, none twice
