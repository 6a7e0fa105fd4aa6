"""Expressions over tags: a small closed language for alarm rules and calculated tags.

Python's grammar reads the text, and only what is named here is taken from it: numbers, tags, + - * /, comparisons,
and/or/not, if-else, abs, min, max, round. Everything else is refused by its position. An expression becomes a tree of
closures; no text is ever run. A value that is missing, a division by zero or a result too large make it have no value.
"""

import ast
import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from math import isfinite
from typing import Any

MAX_LENGTH, MAX_DEPTH, MAX_TAGS = 1_000, 60, 50
_QUOTED = 30

Values = Sequence[float]
Node = Callable[[Values], Any]


class BadExpression(ValueError):
    """The text is no expression of this language; the words say what is wrong, and at which character, counted from 1."""


class _NoValue(ArithmeticError):
    """The expression has no value with these inputs."""


class Sort(Enum):
    """What an expression gives."""

    NUMBER = "a number"
    TRUTH = "true or false"


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that can be meant. `keys`: the tags that it names, in their order; two of the same text are equal."""

    text: str
    keys: tuple[str, ...] = field(compare=False)
    sort: Sort = field(compare=False)
    _node: Node = field(compare=False, repr=False)

    def value(self, values: Sequence[float | None]) -> float | None:
        """Return the result for the values of `keys` in their order; truth is 1.0 or 0.0; None: it has no value.

        One missing or infinite value is enough for none, also where the result would not depend on it.
        """
        for one in values:
            if one is None or not isfinite(one):
                return None
        try:
            return float(self._node(values))  # type: ignore[arg-type]
        except _NoValue:
            return None


def parse(text: str, known: Collection[str] | None = None) -> Expression:
    """Return the expression; `known` are the keys that tags may have (None: any). Raises BadExpression."""
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"is {len(text):,} characters long, and {MAX_LENGTH:,} are the most")
    line = "".join(" " if letter.isspace() else letter for letter in text)
    source = line.strip()
    if not source:
        raise BadExpression("is empty")
    reader = _Reader(source, len(line) - len(line.lstrip()), known)
    sort, node = reader.read(_tree(source, reader), 1)
    if not reader.keys:
        raise BadExpression("names no tag")
    return Expression(text.strip(), tuple(reader.keys), sort, node)


def parse_condition(text: str, known: Collection[str] | None = None) -> Expression:
    """Return an expression that is true or false; raises BadExpression also for one that gives a number."""
    expression = parse(text, known)
    if expression.sort is not Sort.TRUTH:
        raise BadExpression("gives a number, and an alarm needs true or false: compare it with something")
    return expression


def unreadable(text: str) -> Expression:
    """Return what stands for a text that this program does not understand: nothing is judged by it, and it has no value."""

    def no_value(values: Values) -> float:
        del values
        raise _NoValue

    return Expression(text, (), Sort.TRUTH, no_value)


def _tree(source: str, reader: "_Reader") -> ast.expr:
    try:
        return ast.parse(source, mode="eval").body
    except SyntaxError as fault:
        # Python's own words name what only a programmer knows
        place = min((fault.offset or 1) - 1, len(source))
        raise BadExpression(reader.at(place, "is not understood")) from None
    except (ValueError, MemoryError, RecursionError):
        raise BadExpression("is not understood: it is nested too deep or holds a forbidden character") from None


_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS = ("abs", "max", "min", "round", "tag")


class _Reader:
    """Turns the tree of one text into closures and collects the tags on the way."""

    def __init__(self, source: str, skipped: int, known: Collection[str] | None) -> None:
        """Read `source`, before which the person typed `skipped` blanks."""
        self._source, self._skipped, self._known = source, skipped, known
        self.keys: dict[str, int] = {}

    def at(self, place: int, words: str) -> str:
        """Return the words with the place (from 0, in the source) and what stands there."""
        there = self._source[place : place + _QUOTED]
        found = repr(there) if there else "here it ends too early"
        return f"{words} at character {place + 1 + self._skipped}: {found}"

    def _refusal(self, node: ast.expr, words: str) -> BadExpression:
        # the parser counts bytes, a person counts characters
        place = len(self._source.encode()[: node.col_offset].decode())
        return BadExpression(self.at(place, words))

    def read(self, node: ast.expr, depth: int) -> tuple[Sort, Node]:
        """Return what the node gives, and how."""
        if depth > MAX_DEPTH:
            raise self._refusal(node, "is nested too deep")
        reader = _READERS.get(type(node))
        if reader is None:
            raise self._refusal(node, "holds what this language does not know")
        return reader(self, node, depth + 1)

    def _wanted(self, node: ast.expr, depth: int, wanted: Sort) -> Node:
        sort, made = self.read(node, depth)
        if sort is not wanted:
            raise self._refusal(node, f"needs {wanted.value} and has {sort.value}")
        return made

    def _number(self, node: ast.expr, depth: int) -> Node:
        return self._wanted(node, depth, Sort.NUMBER)

    def _truth(self, node: ast.expr, depth: int) -> Node:
        return self._wanted(node, depth, Sort.TRUTH)

    def constant(self, node: ast.Constant, depth: int) -> tuple[Sort, Node]:
        """Read a number as it is written."""
        del depth
        number = _as_float(node.value)
        if not isfinite(number):
            raise self._refusal(node, "has no number that can be meant")
        return Sort.NUMBER, lambda _: number

    def name(self, node: ast.Name, depth: int) -> tuple[Sort, Node]:
        """Read a tag whose key stands without quotes."""
        del depth
        return self._tag(node, node.id)

    def _tag(self, node: ast.expr, key: str) -> tuple[Sort, Node]:
        if self._known is not None and key not in self._known:
            raise self._refusal(node, f"names {key[:_QUOTED]!r}, which is no tag of this plant,")
        place = self.keys.setdefault(key, len(self.keys))
        if len(self.keys) > MAX_TAGS:
            raise self._refusal(node, f"names more than {MAX_TAGS} tags")
        return Sort.NUMBER, operator.itemgetter(place)

    def arithmetic(self, node: ast.BinOp, depth: int) -> tuple[Sort, Node]:
        """Read + - * /."""
        if (combine := _ARITHMETIC.get(type(node.op))) is None:
            raise self._refusal(node, "calculates with something else than + - * /")
        return Sort.NUMBER, _calculated(combine, self._number(node.left, depth), self._number(node.right, depth))

    def unary(self, node: ast.UnaryOp, depth: int) -> tuple[Sort, Node]:
        """Read a sign or `not`."""
        if isinstance(node.op, ast.Not):
            opposite = self._truth(node.operand, depth)
            return Sort.TRUTH, lambda values: not opposite(values)
        if isinstance(node.op, ast.Invert):
            raise self._refusal(node, "holds what this language does not know")
        number = self._number(node.operand, depth)
        return Sort.NUMBER, number if isinstance(node.op, ast.UAdd) else lambda values: -number(values)

    def comparison(self, node: ast.Compare, depth: int) -> tuple[Sort, Node]:
        """Read a comparison, chained as well: low < level < high."""
        numbers = [self._number(one, depth) for one in (node.left, *node.comparators)]
        compares = [_COMPARISONS.get(type(one)) for one in node.ops]
        known = [one for one in compares if one is not None]
        if len(known) < len(compares):
            raise self._refusal(node, "compares with something else than < <= > >= == !=")
        pairs = [_compared(*one) for one in zip(known, numbers, numbers[1:], strict=False)]
        return Sort.TRUTH, pairs[0] if len(pairs) == 1 else _all(pairs)

    def logic(self, node: ast.BoolOp, depth: int) -> tuple[Sort, Node]:
        """Read and, or."""
        parts = [self._truth(one, depth) for one in node.values]
        return Sort.TRUTH, _all(parts) if isinstance(node.op, ast.And) else _any(parts)

    def choice(self, node: ast.IfExp, depth: int) -> tuple[Sort, Node]:
        """Read `this if condition else that`; both must be of one sort."""
        is_first = self._truth(node.test, depth)
        sort, first = self.read(node.body, depth)
        second = self._wanted(node.orelse, depth, sort)
        return sort, lambda values: first(values) if is_first(values) else second(values)

    def call(self, node: ast.Call, depth: int) -> tuple[Sort, Node]:
        """Read one of the functions."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _FUNCTIONS or node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            raise self._refusal(node, f"calls something else than {', '.join(_FUNCTIONS)}")
        if name == "tag":
            return self._tag(node, self._key(node))
        if name == "round":
            return Sort.NUMBER, self._rounded(node, depth)
        is_counted = len(node.args) == 1 if name == "abs" else len(node.args) >= 2
        if not is_counted:
            raise self._refusal(
                node, f"gives {name} {len(node.args)} numbers, {'1 is' if name == 'abs' else '2 are'} needed"
            )
        parts = [self._number(one, depth) for one in node.args]
        if name == "abs":
            return Sort.NUMBER, _applied(abs, parts[0])
        return Sort.NUMBER, partial(_chosen, min if name == "min" else max, parts)

    def _key(self, node: ast.Call) -> str:
        match node.args:
            case [ast.Constant(value=str(key))]:
                return key
        raise self._refusal(node, "needs one key in quotes, as in tag('P1.flow'),")

    def _rounded(self, node: ast.Call, depth: int) -> Node:
        match node.args:
            case [number]:
                # with decimals it stays a float, whatever its size
                return _applied(partial(round, ndigits=0), self._number(number, depth))
            case [number, ast.Constant(value=int(digits))] if 0 <= digits <= 9:
                return _applied(partial(round, ndigits=int(digits)), self._number(number, depth))
        raise self._refusal(node, "rounds to something else than 0 to 9 decimals")


_READERS: dict[type[ast.expr], Callable[[_Reader, Any, int], tuple[Sort, Node]]] = {
    ast.Constant: _Reader.constant,
    ast.Name: _Reader.name,
    ast.BinOp: _Reader.arithmetic,
    ast.UnaryOp: _Reader.unary,
    ast.Compare: _Reader.comparison,
    ast.BoolOp: _Reader.logic,
    ast.IfExp: _Reader.choice,
    ast.Call: _Reader.call,
}


def _as_float(constant: object) -> float:
    """Return a number as it was written; infinite for one that is too large and for what is none."""
    if isinstance(constant, bool) or not isinstance(constant, int | float):
        return float("inf")
    try:
        return float(constant)
    except OverflowError:
        return float("inf")


def _calculated(combine: Callable[[float, float], float], left: Node, right: Node) -> Node:
    def calculate(values: Values) -> float:
        try:
            result = combine(left(values), right(values))
        except (ZeroDivisionError, OverflowError):
            raise _NoValue from None
        # not a number compares as false, which would end an alarm
        if not isfinite(result):
            raise _NoValue
        return result

    return calculate


def _compared(compare: Callable[[float, float], bool], left: Node, right: Node) -> Node:
    return lambda values: compare(left(values), right(values))


def _applied(function: Callable[[float], float], number: Node) -> Node:
    return lambda values: function(number(values))


def _chosen(choose: Callable[[Iterator[float]], float], parts: Sequence[Node], values: Values) -> float:
    return choose(part(values) for part in parts)


# as everywhere, `and` stops at the first that is false: so a part may guard the next against a division by zero
def _all(parts: Sequence[Node]) -> Node:
    return lambda values: all(part(values) for part in parts)


def _any(parts: Sequence[Node]) -> Node:
    return lambda values: any(part(values) for part in parts)
