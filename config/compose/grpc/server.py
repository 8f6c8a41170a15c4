"""A gRPC API to try the proxy with: it tells on whose behalf it is called.

It believes the token that it is shown, as only an API can that nobody but its sidecar reaches. A real one verifies it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import orders_pb2
import orders_pb2_grpc
from grpc_health.v1 import health, health_pb2_grpc


class Orders(orders_pb2_grpc.OrdersServicer):
    async def Get(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await build_order(request, context)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        number = 0
        while True:
            yield await build_order(request, context, number)
            number += 1
            await asyncio.sleep(1)


async def build_order(request: Any, context: Any, number: int = 0) -> Any:
    claims = read_claims(dict(context.invocation_metadata()).get("authorization", ""))
    if claims is None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token came along")
        raise AssertionError
    return orders_pb2.Order(
        id=request.id, user=claims["sub"], audience=claims["aud"], scopes=claims.get("scp", []), number=number
    )


def read_claims(authorization: str) -> dict[str, Any] | None:
    """Without a look at the signature."""
    parts = authorization.removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return None
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    return claims


async def serve(address: str) -> None:
    server = grpc.aio.server()
    orders_pb2_grpc.add_OrdersServicer_to_server(Orders(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(address)
    await server.start()
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await stop.wait()
    await server.stop(grace=1)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
