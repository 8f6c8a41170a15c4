"""What a request's head must be in any version of HTTP."""

from __future__ import annotations

import pytest

from proxy.errors import BadRequest, MethodNotAllowed, NotImplementedHere
from proxy.http.request_head import SOUND_HOSTS, check_host, refuse_method


@pytest.mark.parametrize("host", [b"a", b"api.example:443", b"[::1]:80", b"a-b_c~d", b"1.2.3.4"])
def test_hosts(host):
    """H-05: what has passed need not be looked at again."""
    check_host(host)
    assert host in SOUND_HOSTS


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"u@a", b"a/b", b"a:", b"a:65536", b"a:b", b"[::1", b"a" * 262, b"a\r\n"]
)
def test_hosts_that_are_refused(host):
    with pytest.raises(BadRequest):
        check_host(host)
    assert host not in SOUND_HOSTS


@pytest.mark.parametrize(
    ("method", "refusal"),
    [("CONNECT", MethodNotAllowed), ("TRACE", MethodNotAllowed), ("get", NotImplementedHere)],
)
def test_methods_that_are_not_served(method, refusal):
    assert type(refuse_method(method)) is refusal
