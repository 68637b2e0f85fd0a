"""Rules' expressions as Python: the plain ones only, and each is tried against the engine before it is trusted. Pure.

Plain is what compares facts of one kind (whole numbers, text, yes or no) with one another or with what is written, joined by and, or, not and parentheses.
Numbers with a fraction are not: the engine's are decimal. What is not plain, or does not agree, stays with the engine, which is what the language is.
"""

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from random import Random
from typing import Any

Kinds = Mapping[str, type]
"""What a fact is by its name: int, str or bool. One that is missing is none of them."""

WORD = r"[A-Za-z_]\w*|[0-9]{1,15}(?![\w.])|'[^'\\\n]*'|\"[^\"\\\n]*\"|<=|>=|==|!=|<|>|\(|\)|\s+"
WRITTEN = re.compile(rf"(?:{WORD})+")
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
MOST_TRIED = 200


def python(when: str, kinds: Kinds, says: Callable[[Mapping[str, Any]], Any]) -> str | None:
    """Return an expression as Python, over the same facts; None: it is not plain. `says`: what the engine makes of facts."""
    tree = _tree(when)
    if tree is None or _kind(tree, kinds) is not bool:
        return None
    made = ast.unparse(tree)
    holds = eval(f"lambda facts: {ast.unparse(Named({name: f'facts[{name!r}]' for name in kinds}).visit(tree))}", {"__builtins__": {}})
    return made if all(holds(facts) is says(facts) for facts in samples(made, kinds)) else None


def over(expression: str, reads: Mapping[str, str]) -> str:
    """Return a Python expression over other names: `reads` says how each fact is read."""
    return ast.unparse(Named(reads).visit(ast.parse(expression, mode="eval")))


class Named(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, reads: Mapping[str, str]) -> None:
        self._reads = reads

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.parse(self._reads[node.id], mode="eval").body


def _tree(when: str) -> ast.Expression | None:
    if not WRITTEN.fullmatch(when):
        return None
    try:
        tree = ast.parse("(" + when.strip() + ")", mode="eval")
    except SyntaxError:
        return None
    return Literals().visit(tree)  # type: ignore[no-any-return]  # the tree is changed in its place


class Literals(ast.NodeTransformer):
    """Puts the values of `true` and `false` in their place."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(node.id == "true") if node.id in ("true", "false") else node


def _kind(node: ast.AST, kinds: Kinds) -> type | None:
    """Return what a part of an expression is; None: the engine has to tell."""
    match node:
        case ast.Expression(body):
            return _kind(body, kinds)
        case ast.Constant(value):
            return type(value)
        case ast.Name(name):
            return kinds.get(name)
        case ast.BoolOp(values=parts) | ast.UnaryOp(ast.Not(), parts) if all(_kind(part, kinds) is bool for part in _several(parts)):
            return bool
        case ast.Compare(left, [by], [right]):
            both = {_kind(left, kinds), _kind(right, kinds)}
            is_told = both == {int} or (both in ({str}, {bool}) and not isinstance(by, ORDER))
            return bool if is_told else None
        case _:
            return None


def _several(parts: ast.expr | Sequence[ast.expr]) -> Sequence[ast.expr]:
    return (parts,) if isinstance(parts, ast.expr) else parts


def samples(expression: str, kinds: Kinds) -> Iterator[Mapping[str, Any]]:
    """Yield facts around which an expression turns: every combination, or a choice of them where there are many."""
    nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    written = [node.value for node in nodes if isinstance(node, ast.Constant)]
    names = sorted({node.id for node in nodes if isinstance(node, ast.Name)})
    tried = [_around(kinds[name], written) for name in names]
    luck = Random(expression)
    combined = product(*tried) if math.prod(map(len, tried)) <= MOST_TRIED else ([luck.choice(each) for each in tried] for _ in range(MOST_TRIED))
    return (dict(zip(names, facts, strict=True)) for facts in combined)


def _around(kind: type, written: Sequence[Any]) -> list[Any]:
    if kind is bool:
        return [True, False]
    if kind is str:
        return ["", "a word that nobody mentions", *(each for each in written if isinstance(each, str))]
    whole = [each for each in written if type(each) is int]
    return sorted({0, 10**15, *(max(0, each + by) for each in whole for by in (-1, 0, 1))})
