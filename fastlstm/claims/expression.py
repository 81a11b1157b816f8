"""Expressions over named columns: a small part of Python's syntax, read by its parser and never executed.

Allowed are names, numbers, texts in quotes, + - * / **, comparisons, `and` `or` `not`, and a few functions. Text from
a spec is only ever parsed; what is not listed here is refused.
"""

import ast
import difflib
import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from fastlstm.claims import values
from fastlstm.claims.values import Numbers, Texts, Truths, Value, known

MAX_LENGTH = 1000  # characters
MAX_DEPTH = 40

FUNCTIONS: dict[str, Callable[..., Numbers]] = {
    "abs": values.absolute,
    "log10": values.grows(np.log10),
    "log": values.grows(np.log),
    "exp": values.grows(np.exp),
    "sqrt": values.grows(np.sqrt),
    "min": values.smallest,
    "max": values.largest,
}
_OF_SEVERAL = ("min", "max")
_ARITHMETIC: dict[type[ast.operator], Callable[[Numbers, Numbers], Numbers]] = {
    ast.Add: values.add,
    ast.Sub: values.subtract,
    ast.Mult: values.multiply,
    ast.Div: values.divide,
    ast.Pow: values.power,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Numbers, Numbers], Truths]] = {
    ast.Lt: values.less,
    ast.LtE: values.less_or_equal,
    ast.Gt: lambda a, b: values.less(b, a),
    ast.GtE: lambda a, b: values.less_or_equal(b, a),
    ast.Eq: values.equal,
    ast.NotEq: lambda a, b: values.negation(values.equal(a, b)),
}
_MEANT = {
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "**, and its base",
    ast.Invert: "not",
}


class ExpressionError(Exception):
    """What is wrong with an expression, and what would be right."""


@dataclass(frozen=True)
class Expression:
    """A checked expression. `root` is its tree; every node in it is one that `evaluate` knows."""

    text: str
    root: ast.expr = field(compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, each once, in the order of the text."""
        return tuple(dict.fromkeys(node.id for node in _nodes(self.root) if isinstance(node, ast.Name)))

    def evaluate(self, named: Mapping[str, Value]) -> Value:
        """The value, given those of the names. Raises ExpressionError where kinds do not fit."""
        with np.errstate(all="ignore"):
            return _evaluate(self.root, named)

    def number(self, named: Mapping[str, Value], what: str) -> Numbers:
        """The value, which must be a number; `what` says for whom."""
        value = self.evaluate(named)
        if not isinstance(value, Numbers):
            raise ExpressionError(f"{what} must be a number, and {self.text} is {_kind(value)}")
        return value

    def truth(self, named: Mapping[str, Value], what: str) -> Truths:
        """The value, which must be a condition; `what` says for whom."""
        value = self.evaluate(named)
        if not isinstance(value, Truths):
            raise ExpressionError(f"{what} must be a condition, and {self.text} is {_kind(value)}")
        return value


def _nodes(root: ast.expr) -> Iterator[ast.AST]:
    """All nodes but names of functions, in the order of the text."""
    yield root
    for child in ast.iter_child_nodes(root):
        if isinstance(child, ast.expr) and not (isinstance(root, ast.Call) and child is root.func):
            yield from _nodes(child)


def parse_expression(text: str) -> Expression:
    """Read an expression. Raises ExpressionError for everything that is not allowed."""
    root = parse_tree(text)
    check_tree(root)
    return Expression(text.strip(), root)


def parse_tree(text: str) -> ast.expr:
    """The tree of some text, of which nothing is checked but its size and that it is an expression."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"has {len(text)} characters; at most {MAX_LENGTH} are possible")
    if not text.strip():
        raise ExpressionError("is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root = ast.parse(" ".join(text.strip().splitlines()), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"is no expression: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError("is no expression") from None
    if _depth(root) > MAX_DEPTH:
        raise ExpressionError("is nested too deeply")
    return root


def _depth(root: ast.AST) -> int:
    depth, level = 0, [root]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def check_tree(node: ast.expr) -> None:
    """Raises ExpressionError for the first node that is not allowed."""
    match node:
        case ast.Constant(value=bool() | None as word):
            raise ExpressionError(f"{word} is not known here; write the condition alone, or with `not`")
        case ast.Constant(value=int() | float() as value):
            if not _is_finite(value):
                raise ExpressionError("holds a number that is too large")
        case ast.Constant(value=str()) | ast.Name():
            pass
        case ast.BinOp(left, op, right):
            if type(op) not in _ARITHMETIC:
                raise ExpressionError(_not_an_operator(op))
            check_tree(left)
            check_tree(right)
        case ast.UnaryOp(op, operand):
            if isinstance(op, ast.Invert):
                raise ExpressionError(_not_an_operator(op))
            check_tree(operand)
        case ast.BoolOp(_, parts):
            for part in parts:
                check_tree(part)
        case ast.Compare(left, ops, rest):
            if wrong := [op for op in ops if type(op) not in _COMPARISONS]:
                raise ExpressionError(f"{type(wrong[0]).__name__.lower()} is no comparison; use < <= > >= == or !=")
            for part in (left, *rest):
                check_tree(part)
        case ast.Call(func, arguments, keywords):
            _check_call(func, arguments, keywords)
            for part in arguments:
                check_tree(part)
        case _:
            raise ExpressionError(
                f"{shown(node)} is not allowed; an expression has names, numbers, texts, + - * / **, comparisons, "
                f"and, or, not, and {', '.join(FUNCTIONS)}"
            )


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _not_an_operator(op: ast.AST) -> str:
    return f"use {_MEANT[type(op)]}" if type(op) in _MEANT else f"{type(op).__name__} is no operator; use + - * / **"


def _check_call(func: ast.expr, arguments: Collection[ast.expr], keywords: Collection[ast.keyword]) -> None:
    if not isinstance(func, ast.Name):
        raise ExpressionError(f"{shown(func)} is no function; the functions are {', '.join(FUNCTIONS)}")
    if func.id not in FUNCTIONS:
        raise ExpressionError(f"{func.id}() is no function here{suggestion(func.id, FUNCTIONS)}")
    if keywords or any(isinstance(argument, ast.Starred) for argument in arguments):
        raise ExpressionError(f"{func.id}() takes plain arguments")
    if func.id in _OF_SEVERAL:
        if len(arguments) < 2:
            raise ExpressionError(f"{func.id}() takes two numbers or more")
    elif len(arguments) != 1:
        raise ExpressionError(f"{func.id}() takes one number")


def shown(node: ast.AST) -> str:
    """A piece of an expression for a message."""
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."


def suggestion(name: str, known_names: Collection[str]) -> str:
    """What to say of a name that is not there: the likely one, or all."""
    guess = difflib.get_close_matches(name, known_names, n=1)
    return f"; did you mean {guess[0]}?" if guess else f"; there are {', '.join(known_names)}"


def _kind(value: Value) -> str:
    match value:
        case Numbers():
            return "a number"
        case Truths():
            return "a condition"
        case Texts():
            return "a text"


def _numbers(node: ast.expr, named: Mapping[str, Value]) -> Numbers:
    value = _evaluate(node, named)
    if not isinstance(value, Numbers):
        raise ExpressionError(f"{shown(node)} is {_kind(value)}, where a number is needed")
    return value


def _truths(node: ast.expr, named: Mapping[str, Value]) -> Truths:
    value = _evaluate(node, named)
    if not isinstance(value, Truths):
        raise ExpressionError(f"{shown(node)} is {_kind(value)}, where a condition is needed")
    return value


def _evaluate(node: ast.expr, named: Mapping[str, Value]) -> Value:
    match node:
        case ast.Name(name):
            return named[name]
        case ast.Constant(value=str() as word):
            raise ExpressionError(f'"{word}" is a text; a text can only be compared with a name, by == or !=')
        case ast.Constant(value=int() | float() as number):
            return known(number)
        case ast.BinOp(left, op, right):
            return _ARITHMETIC[type(op)](_numbers(left, named), _numbers(right, named))
        case ast.UnaryOp(ast.Not(), operand):
            return values.negation(_truths(operand, named))
        case ast.UnaryOp(op, operand):
            return values.negative(_numbers(operand, named)) if isinstance(op, ast.USub) else _numbers(operand, named)
        case ast.BoolOp(op, parts):
            join = values.both if isinstance(op, ast.And) else values.either
            return reduce(join, [_truths(part, named) for part in parts])
        case ast.Compare(left, ops, rest):
            pairs = zip([left, *rest], ops, rest, strict=False)
            return reduce(values.both, [_compare(a, op, b, named) for a, op, b in pairs])
        case ast.Call(ast.Name(name), arguments):
            return FUNCTIONS[name](*(_numbers(argument, named) for argument in arguments))
    raise AssertionError(ast.dump(node))


def _compare(a: ast.expr, op: ast.cmpop, b: ast.expr, named: Mapping[str, Value]) -> Truths:
    if isinstance(a, ast.Constant) and isinstance(a.value, str):
        a, b = b, a
    if not (isinstance(b, ast.Constant) and isinstance(b.value, str)):
        return _COMPARISONS[type(op)](_numbers(a, named), _numbers(b, named))
    value = None if isinstance(a, ast.Constant) else _evaluate(a, named)
    if not isinstance(value, Texts) or not isinstance(op, ast.Eq | ast.NotEq):
        raise ExpressionError(f'"{b.value}" is a text; a text can only be compared with a name of texts, by == or !=')
    if b.value not in value.labels:
        raise ExpressionError(f'{shown(a)} is never "{b.value}"{suggestion(b.value, value.labels)}')
    equal = values.is_word(value, b.value)
    return equal if isinstance(op, ast.Eq) else values.negation(equal)
