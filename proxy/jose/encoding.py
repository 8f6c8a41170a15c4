"""What JWS, JWK and JWT share: canonical base64url (RFC 7515 §2) and JSON that reads in one way only.

Two readers that disagree about a token are how forgeries work, so whatever could be read in two ways is
no token: padding, spare bits, duplicate members, byte order marks, numbers outside of JSON.
"""

from __future__ import annotations

import binascii
import json
import math
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Final

# To the alphabet of the decoder; what is in that one alone becomes what is in neither.
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/   ")
_PADDING: Final = (b"", b"", b"==", b"=")  # by the characters in the last group of four, as below
# What may come last there: where a group is not full some bits of its last character are spare, and must be zero.
_LAST: Final = ("", "", "AQgw", "AEIMQUYcgkosw048")
_WHITE_SPACE: Final = " \t\n\r"  # RFC 8259 §2
MAX_DEPTH = 32  # levels; claims of real tokens need four or five
MAX_SMALL = 1024  # bytes: whatever is in them, reading them strictly takes some 50 µs at most


def encode_base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """The bytes that ``text`` spells; ValueError unless it is their one canonical spelling."""
    last = len(text) % 4
    if last and text[-1] not in _LAST[last]:
        raise ValueError("not canonical base64url")
    standard = text.encode("ascii").translate(_TO_STANDARD)
    return binascii.a2b_base64(standard + _PADDING[last], strict_mode=True)


def parse_json_object(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 (RFC 8259, with the limits of RFC 7493); ValueError for anything else."""
    value = _decode(_DECODER, data)
    # Every level begins with a bracket, so a text with few of them need not be walked through.
    if _count_brackets(data) > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ValueError("JSON is nested too deeply")
    _require_scalar_values(data, value)
    return value


def parse_small_json_object(data: bytes) -> dict[str, Any] | None:
    """As ``parse_json_object``; None for a text that is so large that reading it strictly takes a while."""
    if len(data) > MAX_SMALL or _count_brackets(data) > MAX_DEPTH:
        return None
    value = _decode(_DECODER, data)
    _require_scalar_values(data, value)
    return value


def peek_json_object(data: bytes) -> dict[str, Any]:
    """As ``parse_json_object``, but what could be read in two ways passes: for texts nobody vouches for yet.

    The C scanner alone reads them, so that a hostile text costs no more than its size.
    """
    return _decode(_SCANNER, data)


def _count_brackets(data: bytes) -> int:
    return data.count(b"{") + data.count(b"[")


def _decode(decoder: json.JSONDecoder, data: bytes) -> dict[str, Any]:
    """``decoder.decode`` looks for white space by regular expressions, which takes longer than a short text."""
    text = data.decode().strip(_WHITE_SPACE)
    try:
        value, end = decoder.raw_decode(text)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    if end != len(text) or not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _parse_members(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("duplicate member name")
    return found


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_is_deeper(member, levels - 1) for member in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_is_deeper(item, levels - 1) for item in value)
    return False


def _require_scalar_values(data: bytes, value: Any) -> None:
    """UnicodeEncodeError, a ValueError, for a lone surrogate: only an escape can bring one in."""
    if b"\\" in data and b"\\u" in data:  # one character alone is found many times faster
        json.dumps(value, ensure_ascii=False).encode()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_parse_members, parse_float=_parse_float, parse_constant=_refuse_constant
)
_SCANNER = json.JSONDecoder(parse_constant=_refuse_constant)
