"""Raw values to ``Settings``: every fault of shape at once, and what is sound without the faulty parts.

The rules between keys are asked of the sound rest too, so that one run shows all there is to mend.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from .environment import Unresolved
from .faults import Fault, build_place, got
from .models import Raw, Route, Section, Settings, Signals, SubjectTokens
from .units import Secret

Place = tuple[str | int, ...]
S = TypeVar("S", bound=Section)
_GONE = object()


@dataclass(frozen=True, kw_only=True)
class _Rest(Settings):
    """Settings whose faulty routes are gone, all of them perhaps; never used for anything but rules."""

    routes: tuple[Route, ...] = ()


@dataclass(frozen=True)
class Sound:
    """The configuration without its faulty parts: entries by place, and the places that were dropped.

    ``server_names`` are those of the authorization servers, faulty ones included.
    """

    settings: Settings
    routes: Mapping[str, Route]
    subject_tokens: Mapping[str, SubjectTokens]
    signals: Mapping[str, Signals]
    server_names: tuple[str, ...]
    dropped: frozenset[str]

    def is_whole(self, place: str) -> bool:
        """Whether nothing at, above or below ``place`` was dropped."""
        return not any(_touches(place, gone) for gone in self.dropped)


def build_section(section: type[S], raw: Raw) -> S:
    """``raw`` as a ``section``. Raises ValidationError."""
    builder: TypeAdapter[S] = _find_builder(cast("Hashable", section))
    return builder.validate_python(raw)


_find_builder = cache(TypeAdapter)


def _touches(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) : len(short) + 1] in ("", ".", "[")


def check_shape(raw: Raw) -> tuple[Sound, tuple[Fault, ...]]:
    """What is sound of ``raw``, and its faults of shape; ``settings`` is whole where there is none."""
    try:
        return _build_sound(build_section(Settings, raw), raw, frozenset()), ()
    except ValidationError as error:
        # A list whose entries are all at fault also counts as too short; that is no second fault.
        details = [
            detail
            for detail in error.errors(include_url=False)
            if not (detail["type"] == "too_short" and detail["input"])
        ]
    faults: dict[str, Fault] = {}
    for detail in details:
        place = build_place(_trim(detail["loc"]))
        faults.setdefault(place, Fault(place, _describe(detail)))
    drops = frozenset(_find_droppable(_trim(detail["loc"])) for detail in details)
    left = _drop(raw, drops)
    settings = build_section(_Rest, _compress(left))
    return _build_sound(settings, left, frozenset(map(build_place, drops))), tuple(faults.values())


def _build_sound(settings: Settings, raw: Raw, dropped: frozenset[str]) -> Sound:
    return Sound(
        settings,
        dict(zip(_places(raw, "routes"), settings.routes, strict=True)),
        dict(zip(_places(raw, "subject_tokens"), settings.subject_tokens, strict=True)),
        dict(zip(_places(raw, "signals"), settings.signals, strict=True)),
        tuple(servers) if isinstance(servers := raw.get("authorization_servers"), dict) else (),
        dropped,
    )


def _places(raw: Raw, key: str) -> Iterator[str]:
    entries = raw.get(key)
    kept = enumerate(entries) if isinstance(entries, list) else ()
    return (f"{key}[{index}]" for index, entry in kept if entry is not _GONE)


def _drop(raw: Any, paths: frozenset[Place]) -> Any:
    """``raw`` with the value at each path marked as gone; list entries keep their places."""
    if () in paths:
        return _GONE

    def below(step: str | int) -> frozenset[Place]:
        return frozenset(path[1:] for path in paths if path[0] == step)

    if isinstance(raw, dict):
        return {key: _drop(value, below(key)) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_drop(value, below(index)) for index, value in enumerate(raw)]
    return raw


def _compress(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _compress(item) for key, item in value.items() if item is not _GONE}
    if isinstance(value, list):
        return [_compress(item) for item in value if item is not _GONE]
    return value


@dataclass(frozen=True)
class _Step:
    """One step down the models: the path so far, what it may hold, and whether it can be left out."""

    path: Place
    annotation: Any
    optional: bool


def _walk(loc: Place) -> Iterator[_Step]:
    """The steps along ``loc`` as far as the models reach."""
    annotation: Any = Settings
    for depth, part in enumerate(loc, 1):
        if isinstance(annotation, type) and issubclass(annotation, Section):
            field = next((each for each in fields(annotation) if each.name == part), None)
            if field is None:
                yield _Step(loc[:depth], None, optional=True)
                return
            required = field.default is MISSING and field.default_factory is MISSING
            annotation = _without_none(get_type_hints(annotation)[field.name])
            yield _Step(loc[:depth], annotation, optional=not required)
        elif inner := _entry_section(annotation):
            annotation = inner
            yield _Step(loc[:depth], annotation, optional=True)
        else:
            return


def _without_none(annotation: Any) -> Any:
    kept = [arg for arg in get_args(annotation) if arg is not type(None)]
    return kept[0] if type(None) in get_args(annotation) and len(kept) == 1 else annotation


def _entry_section(annotation: Any) -> type[Section] | None:
    """The section that a list or mapping of sections holds."""
    if get_origin(annotation) not in (tuple, dict):
        return None
    found = [arg for arg in get_args(annotation) if isinstance(arg, type) and issubclass(arg, Section)]
    return found[0] if found else None


def _find_droppable(loc: Place) -> Place:
    """The nearest part at or above ``loc`` that can be left out."""
    paths = [step.path for step in _walk(loc) if step.optional]
    return paths[-1] if paths else loc[:1]


def _trim(loc: Place) -> Place:
    """``loc`` without the mark that pydantic adds where a key is at fault, not its value."""
    return loc[:-1] if loc[-1:] == ("[key]",) else loc


def _describe(detail: ErrorDetails) -> str:
    value = detail["input"]
    if isinstance(value, Unresolved):
        return value.message
    steps = list(_walk(_trim(detail["loc"])))
    message = _describe_kind(detail, steps)
    return message if _is_hidden(steps, detail["type"]) else message + got(value)


def _is_hidden(steps: list[_Step], kind: str) -> bool:
    if kind in ("unexpected_keyword_argument", "missing", "dataclass_type", "dict_type"):
        return True
    last = steps[-1].annotation if steps else None
    return last is Secret or get_origin(last) is dict


def _describe_kind(detail: ErrorDetails, steps: list[_Step]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        return f"unknown key{_suggest(detail['loc'], steps)}"
    if kind == "value_error":
        return str(context["error"])
    text = _MESSAGES.get(kind)
    return text.format_map(context) if text else detail["msg"][:1].lower() + detail["msg"][1:]


def _suggest(loc: Place, steps: list[_Step]) -> str:
    section = steps[-2].annotation if len(steps) > 1 else Settings
    near = difflib.get_close_matches(str(loc[-1]), [each.name for each in fields(section)], n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


_MESSAGES = {
    "missing": "required",
    "dataclass_type": "not a mapping of keys to values",
    "dict_type": "not a mapping of keys to values",
    "tuple_type": "not a list",
    "too_short": "needs at least {min_length} entry",
    "string_type": "not text: put it in quotes",
    "string_too_short": "empty",
    "string_too_long": "longer than {max_length} characters",
    "string_pattern_mismatch": "only letters, digits, '.', '_' and '-' may stand here",
    "int_type": "not a whole number",
    "int_parsing": "not a whole number",
    "int_from_float": "not a whole number",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "literal_error": "not one of {expected}",
    "greater_than_equal": "less than {ge:.0f}",
    "less_than_equal": "more than {le:.0f}",
    "path_type": "not the path of a file",
}
