"""RFC 3986 §6.2: spellings of one http URI, and what is none."""

import pytest

from proxy.http.uri import normalise_uri


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://a.example/b", "https://a.example/b"),
        ("HTTPS://A.Example/B", "https://a.example/B"),
        ("https://a.example", "https://a.example/"),
        ("https://a.example:443/b?c#d", "https://a.example/b"),
        ("https://a.example:/b", "https://a.example/b"),
        ("http://a.example:80/", "http://a.example/"),
        ("http://a.example:443/", "http://a.example:443/"),
        ("http://[::1]:8080/%7euser/%c3%a9%2F", "http://[::1]:8080/~user/%C3%A9%2F"),
        ("https://a.example?x", "https://a.example/"),
        ("https://a.example/b/../c", "https://a.example/b/../c"),
    ],
)
def test_one_spelling(text: str, normal: str) -> None:
    assert normalise_uri(text) == normal
    assert normalise_uri(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        *("", "/b", "a.example/b", "ftp://a.example/", "https://u@a.example/", "https:///b"),
        *("https://a.example/é", "https://a.example/b\n", "https://a.example/ b", " https://a.example/"),
    ],
)
def test_no_http_uri(text: str) -> None:
    with pytest.raises(ValueError, match="not an absolute http URI"):
        normalise_uri(text)
