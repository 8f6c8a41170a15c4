"""From ``signals`` of the settings to what receives them, and to who is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..authentication.signing_keys import SigningKeys
from ..authentication.subject_identifier import Org, build_identify
from ..cache.key import build_owner
from ..cache.replicas import SharedTokens
from ..cache.revoker import Fellows, RevokedUsers, Revoker
from ..cache.user_revocations import UserRevocations
from ..config import models
from ..runtime import Background, Clock
from .allowance import Allowance
from .once import Once
from .record import SignalRecord
from .unmatched import TellUnmatched

if TYPE_CHECKING:
    from .receivers import Receiver, Receivers

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
    settings: models.Settings, users: UserRevocations, shared: SharedTokens | None
) -> RevokedUsers | None:
    """None where no org tells of users, so that nothing is kept for it."""
    if not settings.signals:
        return None
    orgs = [build_org(entry, settings) for entry in settings.signals]
    identify = TellUnmatched(orgs, build_identify(orgs, build_owner))
    return RevokedUsers(identify, users, shared)


def build_receivers(
    settings: models.Settings,
    keys: Mapping[str, SigningKeys],
    desk: SignalDesk,
    revoker: Revoker,
    *,
    background: Background,
    clock: Clock,
) -> Receivers | None:
    """None where nobody tells us anything. ``keys`` are those of the orgs, by their issuers."""
    if not settings.signals:
        return None
    # Who is told of nothing has nothing of it in memory.
    from .receivers import EventReceiver, Receivers, RevocationReceiver  # noqa: PLC0415
    from .reception import Reception  # noqa: PLC0415

    def build(entry: models.Signals) -> Iterator[Receiver]:
        reception = Reception(
            entry.authorization_server,
            build_org(entry, settings),
            keys[entry.issuer],
            revoker,
            desk.once,
            desk.allowance,
            background,
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
