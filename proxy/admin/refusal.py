"""How the admin side says no: a problem (RFC 9457) in plain words, nothing of the request in it."""

from __future__ import annotations

from collections.abc import Mapping

from .answer import Answer, answer_json


class Refused(Exception):
    """A request that is not served: ``status``, what is wrong with it, and fields for the answer."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers

    def answer(self) -> Answer:
        body = {"status": self.status, "title": "Refused", "detail": str(self)}
        return answer_json(body, self.status, media_type="application/problem+json", headers=self.headers)
