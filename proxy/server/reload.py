"""The next configuration, built whole beside the one that serves before anything of that is touched."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a supervisor reports reloads, and has none of these
    from ..app import App
    from ..config.models import Settings
    from .serve import Server

log = logging.getLogger(__name__)


class Reload:
    """What serves by ``settings``, ready to take over: ended by ``commit`` or ``abandon``, neither of which fails.

    Raises OSError or ValueError where a file that the settings name cannot be used; nothing has changed then.
    """

    def __init__(self, app: App, server: Server, settings: Settings) -> None:
        self._app = app
        self._renew_certificate = server.prepare_certificate(settings.listen.tls)
        self._parts = app.prepare(settings)

    def commit(self) -> None:
        """Serve by it from the next request, and the next handshake, on."""
        self._renew_certificate()
        self._app.adopt(self._parts)

    def abandon(self) -> None:
        """Everything stays as it was."""
        self._app.discard(self._parts)


def report_reload(waiting: Sequence[str]) -> None:
    """One line for a configuration that is in force now; ``waiting`` are its keys that are not."""
    if waiting:
        log.warning("a restart is needed", extra={"keys": waiting})
    log.info("configuration loaded again")
