"""Frozen values to JSON-ready data and back, by their type hints. Pure; converters are made once per class and kept."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ctl.errors import BadInput

T = TypeVar("T")
Convert = Callable[[Any], Any]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(data: Any) -> str:
    """Write JSON-ready data in its one canonical form: sorted keys, no blanks, no escapes that are not needed. Raises BadInput."""
    try:
        return _CANONICAL.encode(data)
    except (TypeError, ValueError) as error:
        raise BadInput("cannot write a value as JSON", found=str(error), remedy="use text, finite numbers, booleans, lists and mappings only") from error


def to_json(value: Any) -> Any:
    """Turn a dataclass of the model into JSON-ready data; times become ISO 8601 UTC, infinities and NaN become words."""
    hint: Any = type(value)
    return _encoder(hint)(value)


def from_json(cls: type[T], data: Any) -> T:
    """Turn what to_json() made back into a `cls`; absent fields take their defaults, unknown ones are ignored. Raises BadInput."""
    hint: Any = cls
    try:
        value: T = _decoder(hint)(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"cannot read a {cls.__name__} from stored JSON", found=f"{type(error).__name__}: {error}") from error
    return value


def iso(moment: datetime) -> str:
    """Write an aware time as ISO 8601 UTC; such texts sort like their times. Raises ValueError for a naive one."""
    if moment.tzinfo is UTC:
        return moment.isoformat()
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC).isoformat()


def _same(value: Any) -> Any:
    return value


def _number_out(value: Any) -> Any:
    return value if math.isfinite(value) else str(value)


def _number_in(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _enum_out(value: Any) -> Any:
    return value.value


@cache
def _encoder(hint: Any) -> Convert:
    if hint is float:
        return _number_out
    if hint is datetime:
        return iso
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum_out
    if is_dataclass(hint):
        return _record_out(hint)
    return _nested(hint, _encoder, list)


@cache
def _decoder(hint: Any) -> Convert:
    if hint is float:
        return _number_in
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, Enum):
        members: dict[Any, Any] = {member.value: member for member in hint}
        return members.__getitem__
    if is_dataclass(hint):
        return _record_in(hint)
    return _nested(hint, _decoder, tuple)


def _nested(hint: Any, make: Callable[[Any], Convert], sequence: type) -> Convert:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _optional(make(next(each for each in inner if each is not NoneType)))
    if origin is tuple:
        return _tuple(inner, make, sequence)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(make(inner[1]))
    return _same


def _optional(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _tuple(inner: tuple[Any, ...], make: Callable[[Any], Convert], sequence: type) -> Convert:
    if inner[-1] is not Ellipsis:
        converts = tuple(make(each) for each in inner)
        return lambda value: sequence(convert(each) for convert, each in zip(converts, value, strict=True))
    one = make(inner[0])
    return sequence if one is _same else lambda value: sequence([one(each) for each in value])


def _mapping(convert: Convert) -> Convert:
    return dict if convert is _same else lambda value: {str(key): convert(each) for key, each in value.items()}


def _record_out(cls: Any) -> Convert:
    hints = get_type_hints(cls)
    plain = tuple(field.name for field in fields(cls) if _encoder(hints[field.name]) is _same)
    others = tuple((field.name, _encoder(hints[field.name])) for field in fields(cls) if _encoder(hints[field.name]) is not _same)

    def convert(value: Any) -> Any:
        data = {name: getattr(value, name) for name in plain}
        for name, each in others:
            data[name] = each(getattr(value, name))
        return data

    return convert


def _record_in(cls: Any) -> Convert:
    hints = get_type_hints(cls)
    converts = {field.name: _decoder(hints[field.name]) for field in fields(cls)}
    needed = frozenset(field.name for field in fields(cls) if field.default is MISSING and field.default_factory is MISSING)

    def convert(data: Any) -> Any:
        known = {name: converts[name](value) for name, value in data.items() if name in converts}
        if not known.keys() >= needed:
            raise ValueError(f"{cls.__name__} lacks {', '.join(sorted(needed - known.keys()))}")
        return cls(**known)

    return convert
