"""The status page and what it is made of; every form on it works without a script."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ..cache.replicas import RevocationOwed
from . import formats
from .bodies import read_form
from .charts import HEIGHT, WIDTH, Chart, build_chart
from .csrf import FIELD, find_form_key, require_form_key, set_form_key
from .inspection import inspect
from .status import build_status

if TYPE_CHECKING:
    from jinja2 import Template

    from ..app import App

_HERE = Path(__file__).parent
_FILTERS = {
    "number": formats.show_number,
    "rate": formats.show_rate,
    "seconds": formats.show_seconds,
    "share": formats.show_share,
    "time": formats.show_time,
    "moment": formats.show_moment,
    "step": formats.show_step,
}


def build_routes(app: App) -> list[BaseRoute]:
    def render(request: Request, code: int = 200, **more: Any) -> Response:
        status, form_key = build_status(app), find_form_key(request)
        context = {
            "inspection": None,
            "purged": None,
            "owed": None,
            "form_field": FIELD,
            "form_key": form_key,
        }
        page = HTMLResponse(
            load_template().render(status=status, charts=build_charts(status), **context | more), code
        )
        set_form_key(page, form_key)
        return page

    async def show(request: Request) -> Response:
        return render(request)

    async def inspect_token(request: Request) -> Response:
        asked = await read_form(request, "route", FIELD, optional=("token",))
        require_form_key(request, asked[FIELD])
        return render(request, inspection=await inspect(app, asked["token"], asked["route"]))

    async def purge(request: Request) -> Response:
        asked = await read_form(request, "issuer", "subject", FIELD)
        require_form_key(request, asked[FIELD])
        try:
            purged = await app.parts.store.cache.purge(asked["issuer"], asked["subject"])
        except RevocationOwed as owed:
            return render(request, 503, purged=owed.dropped, owed=owed.reason)
        return render(request, purged=purged)

    return [
        Route("/", show),
        Route("/inspect", inspect_token, methods=["POST"]),
        Route("/purge", purge, methods=["POST"]),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]


def build_charts(status: dict[str, Any]) -> list[Chart]:
    """The last hour in plots."""
    points, latest = status["history"]["points"], status["recent"]
    rate, seconds, share = formats.show_rate, formats.show_seconds, formats.show_share
    return [
        build_chart(
            "Requests per second",
            points,
            latest,
            [("requests", "all", "main"), ("refused", "4xx", "second"), ("failed", "5xx", "bad")],
            rate,
        ),
        build_chart(
            "Time of a request",
            points,
            latest,
            [("request_p50", "half within", "main"), ("request_p95", "95 % within", "second")],
            seconds,
            least=0.001,
        ),
        build_chart("Cache hit ratio", points, latest, [("hit_ratio", "hits", "main")], share, ceiling=1.0),
        build_chart(
            "Exchanges per second",
            points,
            latest,
            [("exchanges", "all", "main"), ("failed_exchanges", "failed", "bad")],
            rate,
        ),
        build_chart(
            "Time of an exchange",
            points,
            latest,
            [("exchange_p50", "half within", "main"), ("exchange_p95", "95 % within", "second")],
            seconds,
            least=0.001,
        ),
        build_chart(
            "Tokens in the cache",
            points,
            latest,
            [("entries", "tokens", "main")],
            formats.show_number,
            least=10,
        ),
    ]


@cache
def load_template() -> Template:
    """The status page's. Many a proxy is scraped and never looked at: until it is, it does without jinja2's 3 MiB."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    environment.globals.update(plot_width=WIDTH, plot_height=HEIGHT, show_claim=formats.show_claim)
    return environment.get_template("status.html")
