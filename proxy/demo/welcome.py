"""What the running demo prints: where everything is, ready tokens, and curl lines to paste."""

from __future__ import annotations

from .demo import Demo

_WELCOME = """\
proxy                  {proxy}
its admin side         {admin}
authorization servers  {org}/oauth2/default (alice and bob sign in there), /oauth2/orders, /oauth2/payroll
sample API             {api}

ALICE='{alice}'
BOB='{bob}'
EXPIRED='{expired}'

# On alice's behalf: the token is exchanged at /oauth2/orders, the API tells what it saw
curl -i {proxy}/orders/1 -H "Authorization: Bearer $ALICE"
# On bob's behalf, exchanged at the server that issued his token
curl -i {proxy}/profile -H "Authorization: Bearer $BOB"
# Without a user: the proxy's own token (client credentials)
curl -i {proxy}/reports
# Refused: no token (401 subject_token_missing)
curl -i {proxy}/orders/1
# Refused: an expired token (401 subject_token_expired)
curl -i {proxy}/orders/1 -H "Authorization: Bearer $EXPIRED"
# Refused: an audience that the policy forbids (403 exchange_denied)
curl -i {proxy}/payroll -H "Authorization: Bearer $ALICE"
# Events as they happen
curl -N {proxy}/orders/events -H "Authorization: Bearer $BOB"
# The authorization server fails: those in the cache are served on, others get 503
curl -X POST {org}/demo/faults -d '{{"fault": "fail", "endpoint": "token"}}'
curl -X DELETE {org}/demo/faults
# The org says that alice's session was revoked (or "event": "universal-logout"): her tokens of before count no more
curl -X POST {org}/demo/signals -d '{{"event": "session-revoked", "user": "alice"}}'
# Fresh tokens, from another terminal
obo-proxy demo token alice --server {org}

Not for production: the demo gives its users' tokens to whoever asks.
Ctrl-C ends it."""


_ID_JAG = """\
another company        {chat}

ALICE_ID='{id_token}'

# At another company: the org makes an ID-JAG of alice's ID token, the other company's server redeems it
curl -i {proxy}/chat/1 -H "Authorization: Bearer $ALICE_ID"
# Her account elsewhere: 403 interaction_required until she has agreed at interaction_uri (curl -k), then 200
curl -i {proxy}/public/saas -H "Authorization: Bearer $ALICE_ID"

"""


def build_welcome(demo: Demo, proxy_url: str, admin_url: str, *, id_jag: bool = False) -> str:
    """The text, with fresh tokens of alice and bob in it."""
    more = _ID_JAG.format(
        proxy=proxy_url, chat=demo.partner.issuer("chat"), id_token=demo.mint_id_token("alice")
    )
    return (more if id_jag else "") + _WELCOME.format(
        proxy=proxy_url,
        admin=admin_url,
        org=demo.org_url,
        api=demo.api_url,
        alice=demo.mint("alice"),
        bob=demo.mint("bob"),
        expired=demo.mint("alice", expires_in=-3600),
    )
