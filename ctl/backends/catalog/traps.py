"""What YAML 1.1 makes of plain words and numbers that people meant otherwise: each trap is named, and none is loaded."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")
_BOOLS: Mapping[str, bool] = {"true": True, "false": False}


class Trap(ValueError):
    """A scalar that YAML reads as something else than what is written; `remedy` says how to write what was meant."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def value(node: yaml.ScalarNode) -> Any:
    """Return the value of a scalar whose reading nobody can mistake. Raises Trap for every other."""
    kind, text = node.tag.removeprefix(TAG), str(node.value)
    match kind:
        case "str":
            return text
        case "bool" if text.lower() in _BOOLS:
            return _BOOLS[text.lower()]
        case "int" if _INT.fullmatch(text):
            return int(text)
        case "float" if _FLOAT.fullmatch(text):
            return float(text)
    raise _trap(kind, node)


def key(node: yaml.Node) -> str:
    """Return a mapping's key. Raises Trap where it is no text."""
    if not isinstance(node, yaml.ScalarNode):
        raise Trap("a list or a mapping as a key", "write a plain word")
    kind, text = node.tag.removeprefix(TAG), str(node.value)
    if kind == "str":
        return text
    if kind == "merge":
        raise Trap("a merge key", "write the fields out")
    raise Trap(f"YAML 1.1 reads the key {text} as {_reading(kind, node)}", f'write "{text}" in quotes')


def _trap(kind: str, node: yaml.ScalarNode) -> Trap:
    text = str(node.value)
    match kind:
        case "null":
            return Trap("has no value", "write one, or take the line out")
        case "bool":
            word = str(_constructed(node)).lower()
            return Trap(f"YAML 1.1 reads {text} as {_reading(kind, node)}", f'write "{text}" in quotes, or {word} if that is meant')
        case "int" | "float" if _number(node).lstrip("-") not in ("inf", "nan"):
            return Trap(f"YAML 1.1 reads {text} as {_reading(kind, node)}", f'write "{text}" in quotes, or {_number(node)} if that is meant')
        case "float" | "timestamp" | "value":
            return Trap(f"YAML 1.1 reads {text} as {_reading(kind, node)}", f'write "{text}" in quotes')
    return Trap(f"the tag {node.tag}", "write a plain value without a tag")


def _reading(kind: str, node: yaml.ScalarNode) -> str:
    text = str(node.value)
    match kind:
        case "bool":
            return f"the boolean {str(_constructed(node)).lower()}"
        case "int" | "float":
            return f"{_base(text.lstrip('+-'))} {_number(node)}"
        case "null":
            return "no value"
        case "timestamp":
            return "a date"
    return f"a {kind}"


def _base(digits: str) -> str:
    if ":" in digits:
        return "the base-60 number"
    names = {"0x": "the hexadecimal number", "0b": "the binary number"}
    if digits[:2].lower() in names:
        return names[digits[:2].lower()]
    is_octal = len(digits) > 1 and digits[0] == "0" and digits.replace("_", "").isdecimal()
    return "the octal number" if is_octal else "the number"


def _number(node: yaml.ScalarNode) -> str:
    found = _constructed(node)
    return f"{found:.15g}" if isinstance(found, float) else str(found)


def _constructed(node: yaml.ScalarNode) -> Any:
    """Return what YAML 1.1 makes of a boolean or a number; the text where an explicit tag does not fit it."""
    maker = yaml.constructor.SafeConstructor()
    make = {"bool": maker.construct_yaml_bool, "int": maker.construct_yaml_int, "float": maker.construct_yaml_float}[node.tag.removeprefix(TAG)]
    try:
        return make(node)
    except (KeyError, ValueError):
        return node.value
