"""How the admin side says no: a problem (RFC 9457) in plain words, nothing of the request in it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Refused(Exception):
    """A request that is not served: ``status``, what is wrong with it, and fields for the answer."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers

    def answer(self) -> Response:
        body = {"status": self.status, "title": "Refused", "detail": str(self)}
        return JSONResponse(body, self.status, self.headers, "application/problem+json")


def answer_refusal(_: Request, refusal: Exception) -> Response:
    """Starlette's handler of Refused."""
    assert isinstance(refusal, Refused)  # noqa: S101  it is registered for nothing else
    return refusal.answer()
