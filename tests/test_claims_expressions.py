"""Expressions of claims: what may be written, what is refused, and that values known to lie in bounds stay sound."""

import math
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastlstm.claims.expression import ExpressionError, parse_expression
from fastlstm.claims.prediction import Comparison, Ordering, parse_prediction
from fastlstm.claims.statistic import parse_statistic
from fastlstm.claims.values import Numbers, Texts, Truths, between, decided, known

X = np.array([-np.inf, -2.0, -0.5, 0.0, 0.5, 3.0, np.inf])
Y = np.array([1.0, -1.0, 0.0, 2.0, 0.5, -3.0, 0.0])
GATE = np.array([0, 1, 2, 0, 1, 2, 0])
NAMED = {
    "x": known(X),
    "y": known(Y),
    "flag": decided(X > 0),
    "gate": Texts(GATE, ("left", "mid", "right")),
}


def value(text, **named):
    return parse_expression(text).evaluate(NAMED | named)


# what is allowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", lambda: X),
        ("-x + +1", lambda: -X + 1),
        ("x * y - 2", lambda: X * Y - 2),
        ("(x + 1) / 4", lambda: (X + 1) / 4),
        ("2 ** y", lambda: 2.0**Y),
        ("-y ** 2", lambda: -(Y**2)),
        ("y ** -1 * 0", lambda: np.where(Y == 0, np.nan, 0)),
        ("abs(x)", lambda: abs(X)),
        ("log10(abs(y) + 1)", lambda: np.log10(abs(Y) + 1)),
        ("log(exp(y))", lambda: Y),
        ("sqrt(y * y)", lambda: abs(Y)),
        ("min(x, y, 1)", lambda: np.minimum(np.minimum(X, Y), 1)),
        ("max(x, 0)", lambda: np.maximum(X, 0)),
        ("1e3 + 1_000", lambda: 2000.0),
        ("log10(0)", lambda: -np.inf),
        ("x\n + y", lambda: X + Y),
    ],
)
def test_numbers_are_what_numpy_makes_of_them(text, expected):
    with np.errstate(all="ignore"):
        wanted = expected()
    actual = value(text)
    assert isinstance(actual, Numbers)
    assert actual.exact
    np.testing.assert_allclose(actual.low, wanted, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x > y", X > Y),
        ("x >= 0.5", X >= 0.5),
        ("x < y", X < Y),
        ("x <= 0", X <= 0),
        ("y == 0", Y == 0),
        ("y != 0", Y != 0),
        ("-1 < x <= y", (X > -1) & (X <= Y)),
        ("flag", X > 0),
        ("not flag and y > 0 or x == 3", (~(X > 0) & (Y > 0)) | (X == 3)),
        ('gate == "left"', GATE == 0),
        ("'mid' != gate", GATE != 1),
        ("1 < 2", True),
    ],
)
def test_conditions_are_what_numpy_makes_of_them(text, expected):
    actual = value(text)
    assert isinstance(actual, Truths)
    np.testing.assert_array_equal(actual.surely, expected)
    np.testing.assert_array_equal(actual.possibly, expected)


def test_a_condition_on_no_number_is_open_in_every_sense():
    nothing = known(np.array([np.nan]))
    for text in ("z < 1", "z >= 1", "z == 1", "z != 1", "not z < 1", "z < 1 and 1 < 2", "z < 1 or 1 > 2", "0 < z < 1"):
        actual = value(text, z=nothing)
        assert not actual.surely.any(), text
        assert actual.possibly.all(), text
    assert value("z < 1 or 1 < 2", z=nothing).surely.all()
    assert not value("z < 1 and 2 < 1", z=nothing).possibly.any()


def test_infinities_of_opposite_sign_make_no_number_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = value("x - x")
        value("log10(x) + sqrt(x) + x / x + 0 * x + 10 ** (x * 1e9)")
    np.testing.assert_array_equal(np.isnan(actual.low), np.isinf(X))


# what is refused, and what is said


REFUSED = {
    "": "is empty",
    "   ": "is empty",
    "x +": "is no expression",
    "x = 1": "is no expression",
    "x; y": "is no expression",
    "import os": "is no expression",
    "x if flag else y": "is not allowed",
    "lambda: 1": "is not allowed",
    "[x]": "is not allowed",
    "(x, y)": "is not allowed",
    "{x}": "is not allowed",
    "{'a': x}": "is not allowed",
    "[a for a in x]": "is not allowed",
    "(a for a in x)": "is not allowed",
    "x.real": "x.real is not allowed",
    "x[0]": "is not allowed",
    "f'{x}'": "is not allowed",
    "(y := 1)": "is not allowed",
    "await x": "is not allowed",
    "(yield)": "is not allowed",
    "b'a'": "is not allowed",
    "...": "is not allowed",
    "1j": "is not allowed",
    "True": "True is not known here",
    "None": "None is not known here",
    "__import__('os').system('true')": "is no function",
    "__import__('os')": "__import__() is no function here",
    "x.__class__()": "is no function",
    "eval('1')": "eval() is no function here",
    "sqr(x)": "did you mean sqrt?",
    "abs(x, y)": "abs() takes one number",
    "abs()": "abs() takes one number",
    "min(x)": "min() takes two numbers or more",
    "abs(*x)": "takes plain arguments",
    "abs(x=1)": "takes plain arguments",
    "x // y": "FloorDiv is no operator",
    "x % y": "Mod is no operator",
    "x @ y": "MatMult is no operator",
    "x << 2": "LShift is no operator",
    "flag & flag": "use and",
    "flag | flag": "use or",
    "~flag": "use not",
    "x ^ 2": "use **",
    "x is y": "is is no comparison",
    "x in y": "in is no comparison",
    "1e999": "too large",
    "9" * 400: "too large",
    "9" * 5000: "at most 1000",
    "x + " * 300 + "x": "at most 1000",
    "(" * 90 + "x" + ")" * 90 + "(": "is no expression",
    "-" * 500 + "x": "nested too deeply",
    "not " * 200 + "flag": "nested too deeply",
    "(" * 300 + "x" + ")" * 300: "is no expression",
    "x\0": "is no expression",
    "\udcff": "is no expression",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:20]))
def test_everything_outside_the_list_is_refused_and_named(text):
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert REFUSED[text] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("flag + 1", "flag is a condition, where a number is needed"),
        ("x and flag", "x is a number, where a condition is needed"),
        ("not x", "x is a number, where a condition is needed"),
        ("flag < 1", "flag is a condition, where a number is needed"),
        ("gate + 1", "gate is a text, where a number is needed"),
        ("gate == 1", "gate is a text, where a number is needed"),
        ('gate < "left"', "by == or !="),
        ('x == "left"', "by == or !="),
        ('"left"', "by == or !="),
        ('"left" == "left"', "by == or !="),
        ('gate == "rigth"', 'gate is never "rigth"; did you mean right?'),
        ("abs(flag)", "where a number is needed"),
        ("-flag", "where a number is needed"),
        ("flag == flag", "where a number is needed"),
    ],
)
def test_kinds_that_do_not_fit_are_named(text, told):
    with pytest.raises(ExpressionError) as caught:
        value(text)
    assert told in str(caught.value)


def test_names_are_listed_once_in_their_order_and_without_functions():
    assert parse_expression("abs(b) + a * (b > max) - min(c, a)").names == ("b", "a", "max", "c")


PIECES = [
    "x", "y", "flag", "gate", "1", "0.5", '"left"', "(", ")", ",", "+", "-", "*", "/", "**", "==", "<", ">=", "and",
    "or", "not", "abs", "min", "share", "median", "quantile", "mean", "tail_index", "given", "=", ".", "[", "]", ":",
    "lambda", "rises", "along", "falls", "if", "else", "in", "is", "%", "~", "'", "#", "0x", "1e", "_", "\\", "\n",
    "\ud800", "\0",
]  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("0_0")
@example("1if x else y")
@example("'\\q' == gate")
def test_any_text_is_read_or_refused_with_a_reason(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (parse_expression, parse_statistic, parse_prediction):
            with suppress(ExpressionError):
                actual = read(text)
                if read is parse_expression and set(actual.names) <= NAMED.keys():
                    actual.evaluate(NAMED)


# values of which only bounds are known

NUMBERS = st.sampled_from([-np.inf, -7.0, -2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0, 3.0, 400.0, np.inf])
LEAVES = st.one_of(st.sampled_from(["u", "v", "w"]), st.sampled_from(["0", "1", "2", "0.5", "3", "10"]))
ONE = ["abs", "log10", "log", "exp", "sqrt"]
NUMERIC = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from([*ONE, "-", "+"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=6,
)
CONDITIONS = st.recursive(
    st.tuples(NUMERIC, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMERIC).map(" ".join),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=3,
)
BOXES = st.lists(st.tuples(NUMBERS, NUMBERS).map(sorted), min_size=3, max_size=3)


def in_the_box(boxes, place):
    """Numbers within each of the boxes: an end, or something between."""
    chosen = []
    for (low, high), at in zip(boxes, place, strict=True):
        between_them = low + at * (high - low) if math.isfinite(low) and math.isfinite(high) else (low, high)[at > 0.5]
        chosen.append(min(max(between_them, low), high))
    return {name: known([number]) for name, number in zip("uvw", chosen, strict=True)}


@settings(max_examples=400, deadline=None)
@given(NUMERIC, BOXES, st.lists(st.floats(0, 1), min_size=3, max_size=3))
@example("(u ** 2)", [[-2.0, 1.0]] * 3, [0.5] * 3)
@example("(1 / u)", [[-1.0, 1.0]] * 3, [0.75] * 3)
@example("(u ** v)", [[-2.0, 1.0], [2.0, 3.0], [0.0, 0.0]], [0.2, 0.5, 0.0])
def test_bounds_of_a_result_hold_for_all_numbers_within_bounds(text, boxes, place):
    expression = parse_expression(text)
    wide = expression.evaluate({name: between([low], [high]) for name, (low, high) in zip("uvw", boxes, strict=True)})
    actual = expression.evaluate(in_the_box(boxes, place)).low
    if not np.isnan(actual).any():
        slack = 1e-12 * np.where(np.isfinite(actual), abs(actual), 0)
        assert not (actual < wide.low - slack).any()
        assert not (actual > wide.high + slack).any()


@settings(max_examples=300, deadline=None)
@given(CONDITIONS, BOXES, st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_what_surely_holds_of_bounds_holds_within_and_what_holds_is_possible(text, boxes, place):
    expression = parse_expression(text)
    wide = expression.evaluate({name: between([low], [high]) for name, (low, high) in zip("uvw", boxes, strict=True)})
    actual = expression.evaluate(in_the_box(boxes, place))
    assert not (wide.surely & ~actual.possibly).any()
    assert not (actual.surely & ~wide.possibly).any()
    assert not (actual.surely & ~actual.possibly).any()


# statistics and predictions


def test_a_statistic_is_arithmetic_over_its_parts():
    statistic = parse_statistic("(median(x) - quantile(y, 1/4, given=flag)) / steps + median(x)")
    assert [term.text for term in statistic.terms] == ["median(x)", "quantile(y, 1 / 4, given=flag)"]
    assert [term.level for term in statistic.terms] == [0.5, 0.25]
    assert statistic.terms[1].names == ("y", "flag")
    assert statistic.names == ("steps",)
    numbers = {"median(x)": known(3.0), "quantile(y, 1 / 4, given=flag)": known(1.0)}
    assert statistic.combine(numbers, {"steps": known(4.0)}).low == 3.5
    assert not statistic.is_plain
    assert parse_statistic(" share(flag) ").is_plain
    assert not parse_statistic("share(flag) + share(x > 1)").is_plain


@pytest.mark.parametrize("text", ["tail_index(10 ** x, 0.1)", "tail_index(exp(x * log(10)), 0.1)"])
def test_the_tail_of_a_power_is_that_of_its_exponent_and_never_overflows(text):
    (term,) = parse_statistic(text).terms
    logs = term.argument.evaluate({"x": known([1000.0, -5.0])}).low
    np.testing.assert_allclose(logs, [1000 * math.log(10), -5 * math.log(10)])


def test_the_tail_of_anything_else_is_that_of_its_logarithm():
    (term,) = parse_statistic("tail_index(abs(x) - 1, 0.1)").terms
    np.testing.assert_array_equal(term.argument.evaluate({"x": known([1.0, 0.0, 2.0])}).low, [-np.inf, -np.inf, 0.0])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3", "has no statistic; there are share(CONDITION)"),
        ("median", "has no statistic"),
        ("shar(flag)", "did you mean share?"),
        ("share()", "must have the form share(CONDITION)"),
        ("share(flag, 0.5)", "must have the form share(CONDITION)"),
        ("quantile(x)", "must have the form quantile(NUMBER, q)"),
        ("quantile(x, y)", "q of quantile() must be a number, and is y"),
        ("quantile(x, 1)", "q of quantile() must be between 0 and 1"),
        ("tail_index(x, 0)", "top of tail_index() must be between 0 and 1"),
        ("quantile(x, 'a')", "is a text"),
        ("median(x, given=flag, q=2)", "the only further argument"),
        ("median(x, **y)", "the only further argument"),
        ("median(*x)", "must have the form"),
        ("median(median(x))", "median() stands inside median()"),
        ("median(x, given=share(flag) > 1)", "share() stands inside median()"),
        ("median(x)[0]", "is not allowed"),
        ("abs(median)(x)", "is no function"),
    ],
)
def test_statistics_that_cannot_be_read_are_refused(text, told):
    with pytest.raises(ExpressionError) as caught:
        parse_statistic(text)
    assert told in str(caught.value)


def test_predictions_are_read():
    actual = parse_prediction(" <=0.5 * steps ")
    assert isinstance(actual, Comparison)
    assert (actual.operator, actual.formula.names) == ("<=", ("steps",))
    assert parse_prediction("rises  along b_f") == Ordering("rises", "b_f")
    assert parse_prediction("falls along steps").direction == "falls"
    for operator in ("==", "<", ">", ">="):
        assert parse_prediction(f"{operator} 1").operator == operator


NO_PREDICTIONS = ["", "1", "= 1", "!= 1", "<=", "=== 1", "< = 1", "rises", "rises with b", "rises along", "up along b"]


@pytest.mark.parametrize("text", NO_PREDICTIONS)
def test_predictions_that_cannot_be_read_are_refused(text):
    with pytest.raises(ExpressionError):
        parse_prediction(text)
