"""fastapi-proxy-lib as its README shows it, with an ``Authorization`` of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
from fastapi_proxy_lib.fastapi.app import reverse_http_app


class OwnToken(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:
        request.headers["Authorization"] = os.environ["UPSTREAM_TOKEN"]
        yield request


client = httpx.AsyncClient(auth=OwnToken(), timeout=60)
app = reverse_http_app(client=client, base_url=f"http://127.0.0.1:{os.environ['UPSTREAM_PORT']}/")
