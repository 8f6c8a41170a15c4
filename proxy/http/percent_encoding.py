"""RFC 3986 §2.1: what a percent-encoded text says to readers who decode it once, twice, or more often."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

MOST_DECODINGS: Final = 4  # a URL within a URL within a URL takes three


def decode_repeatedly(text: bytes) -> list[bytes]:
    """``text``, and each further text that decoding gives, until nothing changes.

    Every decoding takes two bytes for each escape, so that the work is bounded by the length. Raises ValueError
    where the text changes more than ``MOST_DECODINGS`` times.
    """
    readings = [text]
    while b"%" in text:
        text = unquote_to_bytes(text)
        if text == readings[-1]:
            break
        if len(readings) > MOST_DECODINGS:
            raise ValueError(f"percent-encoded more than {MOST_DECODINGS} times")
        readings.append(text)
    return readings
