"""``obo-proxy serve``: the proxy and its admin side, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from . import add_config_option

if TYPE_CHECKING:
    from ..config.faults import Fault
    from ..config.models import Settings
    from ..observability.logs import Logging
    from ..server import Server
    from ..server.workers.supervisor import Supervisor

log = logging.getLogger(__name__)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``serve``."""
    parser = subparsers.add_parser(
        "serve",
        help="run the proxy and its admin side",
        description="Runs the proxy and its admin side. SIGHUP loads the configuration again, SIGTERM and SIGINT"
        " drain: what is running is finished, and a second signal ends it at once.",
    )
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve; 0 after a drain, 1 where a port is not to be had or no configuration could be read."""
    from ..config.loading import Loading

    try:
        with Loading(args.config) as loading:
            # Meanwhile the largest part of what serving takes is imported.
            from ..observability.logs import configure
            from ..server import Server  # noqa: F401
            from ..server.process import find_loop_factory

            settings = loading.wait()
    except (OSError, RuntimeError) as error:
        print(f"obo-proxy: cannot serve: {error}", file=sys.stderr)
        return 1
    logs = configure(settings.log)
    alone = settings.listen.workers == 1
    try:
        with ExitStack() as stack:
            stack.callback(logs.stop)  # all it has is written before the last word
            runner = stack.enter_context(asyncio.Runner(loop_factory=find_loop_factory()))
            runner.run((_serve if alone else _supervise)(args, settings, logs))
    except OSError as error:
        print(f"obo-proxy: cannot serve: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


async def _serve(args: argparse.Namespace, settings: Settings, logs: Logging) -> None:
    from ..admin import build_admin
    from ..app import build_app
    from ..config.fixed import keep_fixed
    from ..config.loading import load_apart
    from ..server import serve
    from ..server.process import calm_garbage_collection
    from ..server.reload import Reload, report_reload

    app = build_app(settings)
    calm_garbage_collection()
    caution = _Cautions()
    caution(settings)

    async def reload(server: Server) -> None:
        outcome = "failure"
        try:
            loaded = await asyncio.to_thread(load_apart, args.config)
            kept, waiting = keep_fixed(app.settings, loaded)
            Reload(app, server, kept).commit()
            logs.apply(kept.log)
            caution(kept)
            outcome = "success"
        finally:
            app.metrics.reloads[outcome] += 1
        report_reload(waiting)

    def drain() -> None:
        app.draining = True

    await serve(settings, app, build_admin(app), ready=_announce, reload=reload, drain=drain)


async def _supervise(args: argparse.Namespace, settings: Settings, logs: Logging) -> None:
    from ..config.loading import load_apart
    from ..server.workers.supervisor import supervise

    caution = _Cautions()
    caution(settings)

    def loaded(settings: Settings) -> None:
        logs.apply(settings.log)
        caution(settings)

    await supervise(settings, load=lambda: load_apart(args.config), ready=_announce, loaded=loaded)


class _Cautions:
    """Says each caution once in the process's life."""

    def __init__(self) -> None:
        self._said: set[Fault] = set()

    def __call__(self, settings: Settings) -> None:
        from ..config.cautions import find_cautions

        for caution in find_cautions(settings):
            if caution not in self._said:
                self._said.add(caution)
                log.warning(
                    "others may read a secret", extra={"key": caution.place, "reason": caution.message}
                )


def _announce(server: Server | Supervisor) -> None:
    addresses: dict[str, tuple[str, int] | str] = {"address": server.address, "admin": server.admin_address}
    if server.authorizer_address is not None:
        addresses["authorizer"] = server.authorizer_address
    log.info("serving", extra={name: _show(address) for name, address in addresses.items()})


def _show(address: tuple[str, int] | str) -> str:
    if isinstance(address, str):
        return address
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
