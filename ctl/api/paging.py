"""Lists in pages: `after` is the key of the last item seen, `next` the one to go on with (null: that was all)."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def page(rows: Sequence[T], key: Callable[[T], str], after: str, limit: int) -> dict[str, Any]:
    """Return {"items", "next"} of rows that are sorted by `key`."""
    rest = [row for row in rows if key(row) > after] if after else list(rows)
    return {"items": rest[:limit], "next": key(rest[limit - 1]) if len(rest) > limit else None}
