"""What holds whichever way a request takes: how long a connection may take, and what an answer may be."""

from __future__ import annotations

from ...errors import AuthorizationServerUnavailable, ExchangeResponseInvalid

MAX_ANSWER = 1024 * 1024  # bytes
MAX_CONNECT = 2.0  # s: where a packet is lost, a second try within the budget beats a longer wait
RETRY_AFTER = 2.0  # s, told to callers


def unreachable(why: object) -> AuthorizationServerUnavailable:
    """What to raise where there is no answer."""
    return AuthorizationServerUnavailable(
        f"the authorization server cannot be reached: {why}", retry_after=RETRY_AFTER
    )


def check_encoding(content_encoding: str) -> None:
    """ExchangeResponseInvalid for an encoded answer, which may be of any size once it is decoded."""
    if content_encoding.lower() != "identity":
        raise ExchangeResponseInvalid("the answer is encoded though that was declined")


def check_size(size: int) -> None:
    """ExchangeResponseInvalid for an answer of too many bytes."""
    if size > MAX_ANSWER:
        raise ExchangeResponseInvalid(f"the answer is larger than {MAX_ANSWER} bytes")
