"""An authorization server that answers every token exchange at once: ``python authorization_server.py PORT JWKS_FILE``.

It checks nothing, for it must not be what is measured; its tokens are JWTs of the usual size with a signature that
nobody verifies.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs

import httptools
import uvloop


def encode(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


HEADER = encode({"alg": "RS256", "kid": "exchange", "typ": "at+jwt"})
SIGNATURE = base64.urlsafe_b64encode(bytes(256)).rstrip(b"=")


def exchange(form: bytes) -> bytes:
    """The answer of RFC 8693 §2.2.1 to one request."""
    fields = {name: values[0] for name, values in parse_qs(form.decode()).items()}
    payload = fields["subject_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims |= {
        "aud": fields.get("audience"),
        "scp": fields.get("scope", "").split(),
        "exp": int(time.time()) + 3600,
    }
    token = b".".join([HEADER, encode(claims), SIGNATURE]).decode()
    answer = {
        "access_token": token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": fields.get("scope", ""),
    }
    return json.dumps(answer).encode()


class Connection(asyncio.Protocol):
    jwks = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url, self.body = url, b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        answer = exchange(self.body) if self.url == b"/token" else self.jwks
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: max-age=3600\r\n"
        self.transport.write(head + b"content-length: %d\r\n\r\n" % len(answer) + answer)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", int(sys.argv[1]), backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    Connection.jwks = Path(sys.argv[2]).read_bytes()
    uvloop.run(main())
