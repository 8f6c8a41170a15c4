"""The security events that we know (CAEP, RISC, SSF), and the names under which they are counted."""

from __future__ import annotations

from typing import Final

_CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC: Final = "https://schemas.openid.net/secevent/risc/event-type/"
# After these nothing counts any more that was obtained for the user before, by the names that they are counted under.
ENDING: Final = {
    f"{_CAEP}session-revoked": "session_revoked",
    f"{_CAEP}credential-change": "credential_change",
    f"{_CAEP}token-claims-change": "token_claims_change",
    f"{_RISC}account-disabled": "account_disabled",
    f"{_RISC}account-purged": "account_purged",
    f"{_RISC}account-credential-change-required": "credential_change_required",
    f"{_RISC}sessions-revoked": "session_revoked",
}
# These are about the stream of events itself; they have had different places.
STREAM: Final = {
    f"https://schemas.openid.net/secevent/{place}/event-type/{kind}": name
    for place in ("ssf", "sse", "risc")
    for kind, name in (("verification", "verification"), ("stream-updated", "stream_updated"))
}
OTHER: Final = "other"
