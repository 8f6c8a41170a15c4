"""From ``signals`` of the settings to what receives them: orgs, their keys, and who is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from .authentication.subject_identifier import Org, build_identify
from .cache.key import build_owner
from .cache.revoker import Fellows, RevokedUsers, Revoker
from .cache.user_revocations import UserRevocations
from .config import models
from .exchange.record import ExchangeRecord
from .parts import Issuer, TokenStore
from .runtime import Clock
from .signals.allowance import Allowance
from .signals.once import Once
from .signals.receivers import EventReceiver, Receiver, Receivers, RevocationReceiver
from .signals.reception import Reception
from .signals.record import SignalRecord

_CUSTOM: Final = "/oauth2/"  # in the issuers of Okta's custom authorization servers


@dataclass(frozen=True)
class SignalDesk:
    """What of revocations is the process's, whatever its configuration; ``note`` hears of each signal."""

    users: UserRevocations
    once: Once
    allowance: Allowance
    note: Callable[[SignalRecord], None]
    fellows: Fellows | None = None


def build_desk(
    clock: Clock, note: Callable[[SignalRecord], None], fellows: Fellows | None = None
) -> SignalDesk:
    return SignalDesk(UserRevocations(clock), Once(clock), Allowance(clock), note, fellows)


def build_revoked(
    settings: models.Settings, users: UserRevocations, store: TokenStore
) -> RevokedUsers | None:
    """None where no org tells of users, so that nothing is kept for it."""
    if not settings.signals:
        return None
    orgs = [build_org(entry, settings) for entry in settings.signals]
    return RevokedUsers(build_identify(orgs, build_owner), users, store.shared)


def build_orgs(
    settings: models.Settings,
    before: Mapping[str, Issuer],
    *,
    clock: Clock,
    on_exchange: Callable[[ExchangeRecord], None],
) -> dict[str, Issuer]:
    """By issuer, each with its keys: reached as the authorization server is, and ``before``'s where it is the same."""
    orgs: dict[str, Issuer] = {}
    for entry in settings.signals:
        server = settings.authorization_servers[entry.authorization_server]
        org = models.AuthorizationServer(
            issuer=entry.issuer,
            jwks_url=entry.jwks_url,
            timeout=server.timeout,
            ca_file=server.ca_file,
            proxy_url=server.proxy_url,
            allow_http=server.allow_http,
        )
        kept = before.get(entry.issuer)
        same = kept is not None and kept.settings == org
        orgs[entry.issuer] = (
            kept
            if kept and same
            else Issuer(entry.authorization_server, org, clock=clock, on_exchange=on_exchange)
        )
    return orgs


def build_receivers(
    settings: models.Settings,
    orgs: Mapping[str, Issuer],
    desk: SignalDesk,
    store: TokenStore,
    revoker: Revoker,
    *,
    clock: Clock,
) -> Receivers | None:
    """None where nobody tells us anything."""
    if not settings.signals:
        return None

    def build(entry: models.Signals) -> Iterator[Receiver]:
        reception = Reception(
            entry.authorization_server,
            build_org(entry, settings),
            orgs[entry.issuer].keys,
            revoker,
            desk.once,
            store.shared,
            desk.allowance,
            store.background,
            clock,
            desk.note,
        )
        yield EventReceiver(entry.path, reception, entry.audience)
        if entry.revocation_path is not None:
            url = _build_url(entry.audience, entry.revocation_path)
            yield RevocationReceiver(entry.revocation_path, reception, url)

    return Receivers(receiver for entry in settings.signals for receiver in build(entry))


def build_org(entry: models.Signals, settings: models.Settings) -> Org:
    """Who is told of, and by which claims of whose tokens."""
    named = settings.authorization_servers[entry.authorization_server].issuer
    bases = {_find_base(named), _find_base(entry.issuer)}
    others = (server.issuer for server in settings.authorization_servers.values())
    of_org = {issuer for issuer in others if _is_custom(issuer) and _find_base(issuer) in bases}
    return Org(entry.issuer, frozenset({named, entry.issuer} | of_org), dict(entry.match), build_owner)


def _find_base(issuer: str) -> str:
    """The org's own address: what stands before ``/oauth2/`` in the issuer of a custom server of Okta's."""
    return issuer.partition(_CUSTOM)[0].rstrip("/")


def _is_custom(issuer: str) -> bool:
    return _CUSTOM in issuer


def _build_url(audience: str, path: str) -> str:
    """The URL of ``path`` at the host that the transmitter calls."""
    url = urlsplit(audience)
    return f"{url.scheme}://{url.netloc}{path}"
