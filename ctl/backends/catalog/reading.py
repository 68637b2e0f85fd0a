"""Text -> Document: a strict walk over the YAML nodes that notes every mistake with its line, and goes on. No aliases, merge keys or tags."""

from typing import Any

import yaml

from ctl.backends.catalog import traps
from ctl.backends.catalog.document import Document, Path

LARGEST_FILE = 256 * 1024
DEEPEST = 12
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REMEDIES = (
    ("mapping values are not allowed", "put a text that holds a colon in quotes, or look at the indentation"),
    ("expected a single document", "keep one document a file: take out what follows ---"),
    ("cannot start any token", "put a text that begins with @, ` or % in quotes"),
    ("undefined alias", "write the value out; for a text that begins with *, use quotes"),
    ("unacceptable character", "take the character out"),
)


def read(file: str, content: bytes) -> Document:
    """Read one file that must hold one mapping. Whatever is wrong stands in the document's mistakes; an unreadable file has no data."""
    document = Document(file=file)
    text = _text(document, content)
    root = _composed(document, text) if text is not None else None
    if root is not None:
        _Walk(document).root(root)
    return document


def _text(document: Document, content: bytes) -> str | None:
    if len(content) > LARGEST_FILE:
        document.spoil((), f"{len(content)} bytes are too much for one service", f"keep it under {LARGEST_FILE}")
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        document.lines[()] = content.count(b"\n", 0, error.start) + 1
        document.spoil((), "the text is not UTF-8", "save the file as UTF-8")
        return None


def _composed(document: Document, text: str) -> yaml.Node | None:
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        _note_syntax(document, text, error)
        return None
    if root is None:
        document.spoil((), "the file is empty", "write what belongs there, or remove the file")
    return root


def _note_syntax(document: Document, text: str, error: yaml.YAMLError) -> None:
    mark = getattr(error, "problem_mark", None)
    at = mark.line if mark is not None else text.count("\n", 0, getattr(error, "position", 0))
    lines = text.split("\n")
    line = lines[at] if at < len(lines) else ""
    document.lines[()] = min(at + 1, len(lines))
    if "\t" in line[: len(line) - len(line.lstrip())] or (mark is not None and line[mark.column : mark.column + 1] == "\t"):
        document.spoil((), "a tab where YAML wants spaces", "indent with spaces")
        return
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    problem = f"{getattr(error, 'context', '')} {problem}" if problem.startswith("but ") else problem
    remedy = next((remedy for mark, remedy in _REMEDIES if mark in f"{problem} {error}"), "look at this line and the one before it")
    document.spoil((), f"no valid YAML: {problem}", remedy)


class _Walk:
    """Goes over the nodes of one document, and fills it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._seen: set[int] = set()

    def root(self, node: yaml.Node) -> None:
        is_empty = node.start_mark.index == node.end_mark.index  # it lies behind the last line, then
        self._document.lines[()] = 1 if is_empty else node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            self._document.data = self._mapping(node, ())
        else:
            self._document.spoil((), "the file is no mapping", "write fields, one a line: name: value")

    def _value(self, node: yaml.Node, path: Path) -> Any:
        if self._refused(node, path):
            return None
        match node:
            case yaml.ScalarNode():
                return self._scalar(node, path)
            case yaml.SequenceNode():
                return self._sequence(node, path)
            case yaml.MappingNode():
                return self._mapping(node, path)

    def _refused(self, node: yaml.Node, path: Path) -> bool:
        if len(path) > DEEPEST:
            self._document.spoil(path, "nested too deep", "look at the indentation")
        elif id(node) in self._seen:
            self._document.spoil(path, "an alias", "write the value out")
        elif not isinstance(node, yaml.ScalarNode) and node.tag not in (f"{traps.TAG}seq", f"{traps.TAG}map"):
            self._document.spoil(path, f"the tag {node.tag}", "write a plain value without a tag")
        else:
            self._seen.add(id(node))
            return False
        return True

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        try:
            value = traps.value(node)
        except traps.Trap as trap:
            self._document.spoil(path, trap.message, trap.remedy)
            return node.value
        if not isinstance(value, str):
            self._document.raw[path] = node.value
        return value

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        found = []
        for position, item in enumerate(node.value):
            self._document.lines[(*path, position)] = item.start_mark.line + 1
            found.append(self._value(item, (*path, position)))
        return found

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            name = self._key(key_node, path, line)
            here = (*path, name)
            if name in found:
                self._document.add(here, f"duplicate key (first at line {self._document.lines[here]})", "keep one", line=line)
                continue
            self._document.lines[here] = line
            found[name] = self._value(value_node, here)
        return found

    def _key(self, node: yaml.Node, path: Path, line: int) -> str:
        try:
            return traps.key(node)
        except traps.Trap as trap:
            name = str(node.value) if isinstance(node, yaml.ScalarNode) else "?"
            self._document.add((*path, name), trap.message, trap.remedy, line=line)
            self._document.spoiled.add((*path, name))
            return name
