"""One file of the catalog as it was read: plain data, where each field stands, and the mistakes found so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ctl.errors import Mistake

Path = tuple[str | int, ...]


@dataclass(slots=True, kw_only=True)
class Document:
    """`file` is the path as people should see it. `lines` has every field and list item; `raw` has numbers as they were written.

    `spoiled` are the paths whose value is wrong as YAML already: nothing more is said about them or what lies below.
    """

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    raw: dict[Path, str] = field(default_factory=dict)
    spoiled: set[Path] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of a field, or of the nearest thing around it that is written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def mistake(self, path: Path, message: str, remedy: str, *, line: int = 0) -> Mistake:
        """Return a mistake at `path`; `line` 0 is the field's own."""
        return Mistake(file=self.file, line=line or self.line(path), field=dotted(path), message=message, remedy=remedy)

    def add(self, path: Path, message: str, remedy: str, *, line: int = 0) -> None:
        """Note a mistake at `path`."""
        self.mistakes.append(self.mistake(path, message, remedy, line=line))

    def spoil(self, path: Path, message: str, remedy: str) -> None:
        """Note a mistake that makes the value useless."""
        self.spoiled.add(path)
        self.add(path, message, remedy)

    def is_spoiled(self, path: Path) -> bool:
        """Say whether this field, or something around it, is known to be wrong."""
        return any(path[:length] in self.spoiled for length in range(len(path) + 1))


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as people do: rollout.steps[0].weight_pct."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
