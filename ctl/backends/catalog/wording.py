"""Validation errors -> mistakes: each with its line, in the words of people who write the catalog, with what to write instead."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ctl.backends.catalog.document import Document, Path
from ctl.backends.catalog.policy import Strict
from ctl.backends.catalog.values import EXPLAINED

KINDS: Mapping[type, str] = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}


def note(document: Document, model: type[Strict], error: ValidationError, root: Path = ()) -> None:
    """Add every error of validating the document (or its part at `root`) as a `model`, unless the place is known to be wrong already."""
    for detail in error.errors(include_url=False):
        path = (*root, *(part for part in detail["loc"] if part != "[key]"))
        if not document.is_spoiled(path):
            message, remedy = _said(document, model, detail, path, len(root))
            document.add(_written(document, path, detail["type"]), message, remedy)


def _written(document: Document, path: Path, kind: str) -> Path:
    """Return the path as it stands in the file: a step that is written as a plain number has no field of its own."""
    return path if kind == "missing" or path in document.lines else path[:-1]


def _said(document: Document, model: type[Strict], detail: ErrorDetails, path: Path, depth: int) -> tuple[str, str]:
    given, context = detail["input"], detail.get("ctx", {})
    shown = _shown(document, path, given)
    match detail["type"]:
        case "missing":
            return "is missing", f"add {path[-1]}: {_example(model, path[depth:])}"
        case "extra_forbidden":
            return "unknown field", _known(str(path[-1]), _fields(model, path[depth:-1]))
        case "string_type":
            return _no_text(shown, given)
        case "int_type" | "int_from_float" | "float_type":
            return _no_number(shown, given, "whole number" if detail["type"].startswith("int") else "number")
        case "bool_type":
            return f"{shown} is neither true nor false", "write true or false"
        case "list_type":
            return f"{KINDS[type(given)]} where a list is wanted", f"write [{given}]" if isinstance(given, str) else "write a list, e.g. [a, b]"
        case "dict_type" | "model_type":
            return f"{KINDS[type(given)]} where fields are wanted", "write name: value, one a line and indented"
        case "enum" | "literal_error":
            words = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
            return f"{shown} is not known here", _known(str(given), words)
        case "string_pattern_mismatch":
            return f"{shown} does not fit", EXPLAINED[str(context["pattern"])]
        case "mistake":
            return f"{shown} {context['message']}", str(context["remedy"])
    return _out_of_range(shown, detail["type"], context) or (detail["msg"], "msxfctl catalog validate names the next one, if there is one")


def _no_text(shown: str, given: Any) -> tuple[str, str]:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return f"{KINDS[type(given)]} where text is wanted", f'write "{shown}" in quotes' if isinstance(given, bool) else "write one value"
    reading = f"YAML reads {shown} as the number {given}" if str(given) != shown else f"{shown} is a number where text is wanted"
    return reading, f'write "{shown}" in quotes'


def _no_number(shown: str, given: Any, wanted: str) -> tuple[str, str]:
    if isinstance(given, list | dict):
        return f"{KINDS[type(given)]} where a {wanted} is wanted", "write one number"
    if isinstance(given, str) and given.removeprefix("-").isdecimal():
        return f"{shown} is text where a {wanted} is wanted", f"write {given} without quotes"
    return f"{shown} is not a {wanted}", "write a number in digits, e.g. 3"


def _out_of_range(shown: str, kind: str, context: Mapping[str, Any]) -> tuple[str, str] | None:
    match kind:
        case "greater_than_equal":
            return f"{shown} is below {_number(context['ge'])}", f"write at least {_number(context['ge'])}"
        case "less_than_equal":
            return f"{shown} is above {_number(context['le'])}", f"write at most {_number(context['le'])}"
        case "greater_than":
            return f"{shown} is not above {_number(context['gt'])}", f"write more than {_number(context['gt'])}"
        case "less_than":
            return f"{shown} is not below {_number(context['lt'])}", f"write less than {_number(context['lt'])}"
        case "too_short" | "string_too_short":
            return "is empty", "name at least one" if kind == "too_short" else "write a text, or take the line out"
        case "too_long" | "string_too_long":
            return "is too long", f"use at most {context['max_length']} {'entries' if kind == 'too_long' else 'characters'}"
    return None


def _number(bound: float) -> str:
    return f"{bound:g}" if bound < 100_000 else str(int(bound))


def _shown(document: Document, path: Path, given: Any) -> str:
    """Return the value as it was written: numbers with all their digits, text in quotes."""
    if isinstance(given, str):
        return f'"{given}"'
    if isinstance(given, list | dict):
        return KINDS[type(given)]
    return document.raw.get(path) or document.raw.get(path[:-1]) or str(given)


def _known(word: str, words: list[str]) -> str:
    near = get_close_matches(word, words, 1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(words)}"


def _example(model: type[Strict], path: Path) -> str:
    field = (_model_at(model, path[:-1]) or model).model_fields[str(path[-1])]
    example = next(iter(field.examples or ()), "…")
    return f"[{', '.join(map(str, example))}]" if isinstance(example, list) else str(example)


def _fields(model: type[Strict], path: Path) -> list[str]:
    return list((_model_at(model, path) or model).model_fields)


def _model_at(model: type[Strict], path: Path) -> type[Strict] | None:
    """Return the model that a mapping at `path` must fit; names inside a free mapping and list positions are no fields."""
    here: type[Strict] | None = model
    is_free = False
    for part in path:
        if isinstance(part, int) or is_free or here is None:
            is_free = False
            continue
        annotation = here.model_fields[part].annotation
        here, is_free = _inner(annotation), get_origin(annotation) is dict
    return here


def _inner(annotation: Any) -> type[Strict] | None:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return annotation
    return next((found for each in get_args(annotation) if (found := _inner(each))), None)
