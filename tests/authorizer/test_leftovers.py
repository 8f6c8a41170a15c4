"""A question that is refused leaves nothing behind that would wait for the garbage collector."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from proxy.demo import Demo
from tests.support.leftovers import leftovers
from tests.support.proxy import Running
from tests.test_refused_requests import KEPT

from .asking import Fields, build_question, send

pytestmark = pytest.mark.asyncio(loop_scope="module")
_users = itertools.count()


def bearer(demo: Demo, **claims: float) -> tuple[str, str]:
    return "Authorization", f"Bearer {demo.mint(f'left{next(_users)}', **claims)}"


@pytest.mark.parametrize("dialect", ["envoy", "nginx", "forward"])
@pytest.mark.parametrize(
    ("target", "build_fields", "status"),
    [
        ("/orders", lambda demo: [], 401),
        ("/orders", lambda demo: [bearer(demo, expires_in=-1000)], 401),
        ("/orders", lambda demo: [bearer(demo), bearer(demo)], 400),
        ("/payroll", lambda demo: [bearer(demo)], 403),
        ("/orders/../profile", lambda demo: [bearer(demo)], 400),
        ("/orders#a", lambda demo: [bearer(demo), ("Connection", "close")], 400),
        ("/orders", lambda demo: [one := bearer(demo), ("X-Copy", one[1])], 400),
        ("/orders", lambda demo: [bearer(demo)], 200),
    ],
)
async def test_nothing_is_left(
    demo: Demo, proxy: Running, dialect: str, target: str, build_fields: Callable[[Demo], Fields], status: int
):
    """Whatever is wrong with it, or where nothing is."""

    async def visit() -> None:
        fields = [*build_fields(demo), ("Connection", "close")]
        answer = await send(proxy, build_question(dialect, "GET", target, fields))
        assert answer.status == status

    assert set(await leftovers(visit, kept=(*KEPT, "proxy.errors.ExchangeDenied"))) == set()
