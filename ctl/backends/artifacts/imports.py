"""Which installed distributions packed Python code imports: read from the code itself, anywhere in it, not from a wish list.

What is imported but neither packed nor installed (an optional extra) is left out; so are dependencies of dependencies.
"""

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path


def modules(source: bytes) -> frozenset[str]:
    """Return the top-level names of all absolute imports; none where the code cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return frozenset(found)


def distributions(imported: Iterable[str]) -> tuple[str, ...]:
    """Return name==version of the installed distributions that hold these modules, sorted."""
    known = _installed(_search_path())
    names = {name for module in imported if module not in sys.stdlib_module_names for name in known.get(module, ())}
    return tuple(sorted(f"{_normal(name)}=={metadata.version(name)}" for name in names))


def _search_path() -> tuple[tuple[str, int], ...]:
    """The folders that hold installed packages, with when they last changed: what was found there is good until then."""
    folders = (Path(entry) for entry in sys.path if entry.endswith("-packages"))
    return tuple((str(folder), folder.stat().st_mtime_ns) for folder in folders if folder.is_dir())


@lru_cache(maxsize=2)
def _installed(_search_path: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
