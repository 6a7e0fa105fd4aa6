"""Units in an expression: what is added, compared or chosen between must be of one unit, or the alarm says nonsense.

A product, a quotient and a number have no unit of their own here, so that a factor converts: `tag('a') * 3.6 > tag('b')`.
"""

import ast
from collections.abc import Iterator, Mapping

Units = Mapping[str, str]


def unit_faults(text: str, units: Units) -> Iterator[str]:
    """Yield where two units meet that differ; `units` by key, empty: unknown. Of a text that core.expressions reads."""
    tree = ast.parse(" ".join(text.split()), mode="eval").body
    for node in ast.walk(tree):
        for parts in _alike(node):
            found = sorted({unit for one in parts if (unit := _unit(one, units))})
            if len(found) > 1:
                place = ast.unparse(node)
                yield f"puts {' and '.join(found)} together in {place[:80]}: convert one of them by a factor"


def _alike(node: ast.AST) -> Iterator[list[ast.expr]]:
    """Yield the parts of a node that must be of one unit."""
    if isinstance(node, ast.Compare):
        yield [node.left, *node.comparators]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield [node.left, node.right]
    elif isinstance(node, ast.IfExp):
        yield [node.body, node.orelse]
    elif isinstance(node, ast.Call) and _name(node) in ("min", "max"):
        yield node.args


def _unit(node: ast.expr, units: Units) -> str:
    if isinstance(node, ast.Name):
        return units.get(node.id, "")
    if isinstance(node, ast.UnaryOp):
        return _unit(node.operand, units)
    if isinstance(node, ast.Call) and _name(node) == "tag":
        match node.args:
            case [ast.Constant(value=str(key))]:
                return units.get(key, "")
    if isinstance(node, ast.Call) and _name(node) in ("abs", "round"):
        return _unit(node.args[0], units) if node.args else ""
    # parts that do not agree are told where they meet
    return next((unit for parts in _alike(node) for one in parts if (unit := _unit(one, units))), "")


def _name(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""
