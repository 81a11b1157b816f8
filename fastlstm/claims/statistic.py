"""Statistics: one number of a sample each, such as `share(exploded)` or `1 - median(f_mean)`, read from text."""

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from fastlstm.claims import expression
from fastlstm.claims.expression import Expression, ExpressionError, check_tree, parse_tree, shown, suggestion
from fastlstm.claims.values import Numbers, Value

STATISTICS = {
    "share": "share(CONDITION)",
    "median": "median(NUMBER)",
    "quantile": "quantile(NUMBER, q)",
    "mean": "mean(BOUNDED NUMBER)",
    "tail_index": "tail_index(NUMBER, top)",
}
_WITH_SHARE = {"quantile": "q", "tail_index": "top"}
HALF = 0.5


@dataclass(frozen=True)
class Term:
    """One statistic of the sample: `function` of `argument`, over the draws for which `given` holds.

    `level` is the q of a quantile, 0.5 for the median; of a tail index the share of the draws that make the tail. The
    argument of a tail index is the logarithm of what is written.
    """

    text: str
    function: str
    argument: Expression
    level: float
    given: Expression | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in argument and condition."""
        condition = self.given.names if self.given else ()
        return tuple(dict.fromkeys((*self.argument.names, *condition)))


@dataclass(frozen=True)
class Statistic:
    """Arithmetic over terms, in which each stands as a name that is its text, and over names of the point."""

    text: str
    arithmetic: Expression = field(compare=False)
    terms: tuple[Term, ...] = field(compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether it is one term and nothing else."""
        return self.arithmetic.names == (self.terms[0].text,) and isinstance(self.arithmetic.root, ast.Name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names outside the terms: those of the point."""
        terms = {term.text for term in self.terms}
        return tuple(name for name in self.arithmetic.names if name not in terms)

    def combine(self, terms: Mapping[str, Numbers], named: Mapping[str, Value]) -> Numbers:
        """The statistic, given its terms by their texts and the names of the point."""
        return self.arithmetic.number({**named, **terms}, "the statistic")


@lru_cache(maxsize=1024)
def parse_statistic(text: str) -> Statistic:
    """Read a statistic. Raises ExpressionError."""
    root = parse_tree(text)
    for node in ast.walk(root):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            functions = (*STATISTICS, *expression.FUNCTIONS)
            if node.func.id not in functions:
                raise ExpressionError(f"{node.func.id}() is no function here{suggestion(node.func.id, functions)}")
    taker = _TermTaker()
    root = taker.visit(root)
    check_tree(root)
    if not taker.terms:
        raise ExpressionError(f"has no statistic; there are {', '.join(STATISTICS.values())}")
    return Statistic(text.strip(), Expression(text.strip(), root), tuple(taker.terms.values()))


class _TermTaker(ast.NodeTransformer):
    """Takes the terms out of a tree and leaves names."""

    def __init__(self) -> None:
        self.terms: dict[str, Term] = {}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not (isinstance(node.func, ast.Name) and node.func.id in STATISTICS):
            self.generic_visit(node)
            return node
        term = _term(node, node.func.id)
        self.terms[term.text] = term
        return ast.Name(term.text, ast.Load())


def _term(node: ast.Call, function: str) -> Term:
    usage = STATISTICS[function]
    for inner in ast.walk(node):
        if inner is node or not isinstance(inner, ast.Call) or not isinstance(inner.func, ast.Name):
            continue
        if inner.func.id in STATISTICS:
            raise ExpressionError(f"{inner.func.id}() stands inside {function}(); a statistic holds no other")
    expected = 2 if function in _WITH_SHARE else 1
    if len(node.args) != expected or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise ExpressionError(f"{shown(node)} must have the form {usage}")
    if [keyword.arg for keyword in node.keywords] not in ([], ["given"]):
        raise ExpressionError(f"{shown(node)}: the only further argument of {function}() is given=CONDITION")
    argument = _expression(_logarithm(node.args[0]) if function == "tail_index" else node.args[0])
    level = _level(node, function) if function in _WITH_SHARE else HALF
    condition = _expression(node.keywords[0].value) if node.keywords else None
    return Term(ast.unparse(node), function, argument, level, condition)


def _expression(node: ast.expr) -> Expression:
    check_tree(node)
    return Expression(ast.unparse(node), node)


def _level(node: ast.Call, function: str) -> float:
    name = _WITH_SHARE[function]
    written = _expression(node.args[1])
    if written.names:
        raise ExpressionError(f"{name} of {function}() must be a number, and is {written.text}")
    level = float(written.number({}, name).low)
    if not 0 < level < 1:
        raise ExpressionError(f"{name} of {function}() must be between 0 and 1, and is {written.text}")
    return level


def _logarithm(node: ast.expr) -> ast.expr:
    """The natural logarithm of an expression, -inf where that is negative.

    What is written as a power is not raised first, so it cannot overflow.
    """
    match node:
        case ast.BinOp(ast.Constant(value=int() | float() as base), ast.Pow(), exponent) if 1 < base < math.inf:
            return ast.BinOp(exponent, ast.Mult(), ast.Constant(math.log(base)))
        case ast.Call(ast.Name("exp"), [exponent], []):
            return exponent
    positive = ast.Call(ast.Name("max", ast.Load()), [node, ast.Constant(0)], [])
    return ast.Call(ast.Name("log", ast.Load()), [positive], [])
