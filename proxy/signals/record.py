"""What is told of a signal once it is answered: to the log, which is its audit trail, and the counters.

Of the user there is the beginning of an identifier, so that lines of one user can be found together, and by whoever
knows how the org calls that user. Of a token there is its ``jti``, by which the org's own log has it.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

# What can become of a signal: access has ended; it has but not everywhere yet; nobody's was to end; not believed or
# understood; not looked at, for there were too many.
Outcome = Literal["ended", "owed", "acknowledged", "refused", "limited"]
GLOBAL_REVOCATION: Final = "global_token_revocation"
_DIGITS: Final = 16  # of the identifier: 64 bits tell any number of users apart


class SignalRecord(NamedTuple):
    """``signal`` is its kind, empty where it was not read; ``unreached`` who may not know of it yet, and why."""

    authorization_server: str
    issuer: str
    signal: str
    outcome: Outcome
    reason: str | None = None
    token_id: str | None = None
    identifiers: tuple[bytes, ...] = ()
    purged: int = 0
    unreached: str | None = None

    def fields(self) -> dict[str, Any]:
        """The line's fields, flat."""
        return {
            "authorization_server": self.authorization_server,
            "issuer": self.issuer,
            "signal": self.signal,
            "outcome": self.outcome,
            "reason": self.reason,
            "jti": self.token_id,
            "user": " ".join(each.hex()[:_DIGITS] for each in self.identifiers) or None,
            "purged": self.purged,
            "unreached": self.unreached,
        }
