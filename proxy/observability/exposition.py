"""Prometheus' text format, version 0.0.4: written while requests are served, and read again from our own workers."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from .families import Family, Sample

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LINES: Final = 500  # in one turn of the event loop, some 2 ms: a hundred routes have 2,400
_ESCAPES: Final = {"\\": r"\\", "\n": r"\n", '"': r"\""}
_ESCAPED: Final = re.compile(r'\\([\\n"])')
_LABEL: Final = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
_LINE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")


async def render(families: Iterable[Family]) -> bytes:
    """The text, some lines in each turn of the event loop: of a busy one, many turns take long."""
    lines: list[str] = []
    for family in families:
        for line in write(family):
            lines.append(line)
            if len(lines) % LINES == 0:
                await asyncio.sleep(0)
    return "".join(lines).encode()


def write(family: Family) -> Iterator[str]:
    """The lines of one family."""
    name = family.name + "_total" if family.kind == "counter" else family.name
    text = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {text}\n"
    yield f"# TYPE {name} {family.kind}\n"
    for sample in family.samples:
        yield f"{sample.name}{_write_labels(sample.labels)} {write_number(sample.value)}\n"


def write_number(value: float) -> str:
    """As Prometheus reads it: 1.0, +Inf, NaN."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value))


def parse(text: str) -> list[Family]:
    """What ``write`` has written. Raises ValueError for a line that it would not write."""
    families: dict[str, Family] = {}
    documentation = ""
    family: Family | None = None
    for line in filter(None, text.split("\n")):
        if line.startswith("# HELP "):
            documentation = _unescape(line.split(" ", 3)[3])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            name = name.removesuffix("_total") if kind == "counter" else name
            family = families[name] = Family(name, documentation, kind)
        elif family is None:
            raise ValueError("a sample of no family")
        else:
            family.samples.append(_parse_sample(line))
    return list(families.values())


def _write_labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = [f'{name}="{_escape(value)}"' for name, value in sorted(labels.items())]
    return "{" + ",".join(pairs) + "}"


def _escape(text: str) -> str:
    for character, escape in _ESCAPES.items():  # the backslash first
        text = text.replace(character, escape)
    return text


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


def _parse_sample(line: str) -> Sample:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("not a line of a sample")
    name, labels, value = found.groups()
    named = {label: _unescape(text) for label, text in _LABEL.findall(labels or "")}
    return Sample(name, named, float(value))
