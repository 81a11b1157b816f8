"""A register of lanes as a Numba type: one draw in each lane.

`Vec(dtype, lanes)` lowers to the LLVM vector `<lanes x dtype>`; `+ - * /`, comparisons, `fma`, `select`
and the rest lower to single instructions. A kernel is then written without a lane index and reads like
its equations; LLVM splits a register wider than the machine's into several, which also hides latency.
(Plain loops over lanes were not vectorised by LLVM: 59 against 5 ns a step in float32.)

Numbers mix with lanes: in `1.0 + v` the number becomes a register of v's type.
Comparisons give masks, registers of one bit. Nothing here exists in Python: all of it is Numba's.
"""

import operator

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable
from numpy.typing import DTypeLike

# Bytes of a register of lanes: two AVX-512 registers in flight for each value hide most of the latency of the chain
# h -> gates -> C -> h. Both passes, ns a step of float32 and float64 with so many bytes, in one run on Zen 4:
# 64: 4.4 and 10.3; 128: 3.3 and 7.6; 256: 3.8 and 8.6, where values no longer fit the machine's registers. Where units
# of 512 bits are whole, on Emerald Rapids, 256 took 3.4 instead of 4.0 in float32, and gained gradients in float64
# nothing.
REGISTER = 128


def lanes_of(dtype: DTypeLike) -> int:
    """How many lanes a register of a type has."""
    return REGISTER // np.dtype(dtype).itemsize


class Vec(types.Type):
    """The Numba type of `lanes` values of one scalar type."""

    def __init__(self, dtype: types.Type, lanes: int) -> None:
        self.dtype = dtype
        self.lanes = lanes
        super().__init__(name=f"Vec({dtype}, {lanes})")


def _llvm_scalar(dtype):
    if dtype == types.boolean:
        return ir.IntType(1)
    if dtype == types.float32:
        return ir.FloatType()
    if dtype == types.float64:
        return ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def llvm_type(vec):
    return ir.VectorType(_llvm_scalar(vec.dtype), vec.lanes)


@register_model(Vec)
class _VecModel(models.PrimitiveModel):
    def __init__(self, manager, vec):
        super().__init__(manager, vec, llvm_type(vec))


def is_float(vec):
    return isinstance(vec.dtype, types.Float)


def is_signed(vec):
    return vec.dtype.signed


def _splat(context, builder, value, source, vec):
    """Put a number into every lane."""
    scalar = context.cast(builder, value, source, vec.dtype)
    one = builder.insert_element(ir.Constant(llvm_type(vec), ir.Undefined), scalar, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vec.lanes), [0] * vec.lanes)
    return builder.shuffle_vector(one, ir.Constant(llvm_type(vec), ir.Undefined), lanes)


def _operands(context, builder, vec, values, kinds):
    """The operands as registers of vec's type, with each number put into every lane."""
    return [
        value if isinstance(kind, Vec) else _splat(context, builder, value, kind, vec)
        for value, kind in zip(values, kinds, strict=True)
    ]


def _common(*operands):
    """The register type of an operation on registers of one type and numbers, or None."""
    vecs = [operand for operand in operands if isinstance(operand, Vec)]
    numbers = [operand for operand in operands if isinstance(operand, types.Number)]
    if vecs and len(vecs) + len(numbers) == len(operands) and all(vec == vecs[0] for vec in vecs):
        return vecs[0]
    return None


# --- operators -----------------------------------------------------------------------------------


def _binary(symbol, build, result=None):
    """Give a Python operator its meaning on lanes, with a number allowed on either side."""

    @type_callable(symbol)
    def typing(context):
        def typer(left, right):
            vec = _common(left, right)
            if vec is None:
                return None
            return vec if result is None else Vec(result, vec.lanes)

        return typer

    def lower(context, builder, signature, arguments):
        vec = _common(*signature.args)
        return build(builder, vec, *_operands(context, builder, vec, arguments, signature.args))

    for kinds in ((Vec, Vec), (Vec, types.Number), (types.Number, Vec)):
        lower_builtin(symbol, *kinds)(lower)


def _by_kind(on_float, on_integer):
    def build(builder, vec, left, right):
        return getattr(builder, on_float if is_float(vec) else on_integer)(left, right)

    return build


def _comparison(symbol):
    def build(builder, vec, left, right):
        if is_float(vec):
            # "not equal" is true for NaN, as in Python; all other comparisons are false
            compare = builder.fcmp_unordered if symbol == "!=" else builder.fcmp_ordered
        else:
            compare = builder.icmp_signed if is_signed(vec) else builder.icmp_unsigned
        return compare(symbol, left, right)

    return build


def _shift_right(builder, vec, left, right):
    return (builder.ashr if is_signed(vec) else builder.lshr)(left, right)


_binary(operator.add, _by_kind("fadd", "add"))
_binary(operator.sub, _by_kind("fsub", "sub"))
_binary(operator.mul, _by_kind("fmul", "mul"))
_binary(operator.truediv, lambda builder, vec, left, right: builder.fdiv(left, right))
_binary(operator.and_, lambda builder, vec, left, right: builder.and_(left, right))
_binary(operator.or_, lambda builder, vec, left, right: builder.or_(left, right))
_binary(operator.xor, lambda builder, vec, left, right: builder.xor(left, right))
_binary(operator.lshift, lambda builder, vec, left, right: builder.shl(left, right))
_binary(operator.rshift, _shift_right)
for _operator, _symbol in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _binary(_operator, _comparison(_symbol), types.boolean)


@type_callable(operator.neg)
def _type_neg(context):
    return lambda vec: vec if isinstance(vec, Vec) else None


@lower_builtin(operator.neg, Vec)
def _lower_neg(context, builder, signature, arguments):
    if is_float(signature.args[0]):
        return builder.fneg(arguments[0])
    return builder.neg(arguments[0])


@type_callable(operator.invert)
def _type_invert(context):
    return lambda vec: vec if isinstance(vec, Vec) else None


@lower_builtin(operator.invert, Vec)
def _lower_invert(context, builder, signature, arguments):
    return builder.not_(arguments[0])


# --- functions of lanes --------------------------------------------------------------------------


def _call_intrinsic(builder, name, vec, *arguments):
    """Call the LLVM intrinsic `llvm.<name>` of a register type."""
    lanes = f"v{vec.lanes}{'f' if is_float(vec) else 'i'}{vec.dtype.bitwidth}"
    kind = ir.FunctionType(llvm_type(vec), [llvm_type(vec)] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{lanes}")
    return builder.call(function, arguments)


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once."""
    vec = _common(a, b, c)
    if vec is None:
        return None

    def codegen(context, builder, signature, arguments):
        operands = _operands(context, builder, vec, arguments, signature.args)
        return _call_intrinsic(builder, "fma", vec, *operands)

    return vec(a, b, c), codegen


def _unary(name):
    def function(typingctx, v):
        if not isinstance(v, Vec):
            return None

        def codegen(context, builder, signature, arguments):
            return _call_intrinsic(builder, name, v, arguments[0])

        return v(v), codegen

    return function


absolute = intrinsic(_unary("fabs"))
square_root = intrinsic(_unary("sqrt"))
nearest = intrinsic(_unary("rint"))  # ties to even
floor = intrinsic(_unary("floor"))


@intrinsic
def select(typingctx, mask, a, b):
    """a where the mask is set, b elsewhere."""
    vec = _common(a, b)
    if vec is None or not isinstance(mask, Vec):
        return None

    def codegen(context, builder, signature, arguments):
        chosen, other = _operands(context, builder, vec, arguments[1:], signature.args[1:])
        return builder.select(arguments[0], chosen, other)

    return vec(mask, a, b), codegen


def _extremum(symbol):
    def function(typingctx, a, b):
        vec = _common(a, b)
        if vec is None:
            return None

        def codegen(context, builder, signature, arguments):
            left, right = _operands(context, builder, vec, arguments, signature.args)
            if is_float(vec):
                first = builder.fcmp_ordered(symbol, left, right)
            else:
                compare = builder.icmp_signed if is_signed(vec) else builder.icmp_unsigned
                first = compare(symbol, left, right)
            return builder.select(first, left, right)

        return vec(a, b), codegen

    return function


# One compare and one select, so both are the same on every CPU: of two zeros, or with a NaN, the second.
minimum = intrinsic(_extremum("<"))
maximum = intrinsic(_extremum(">"))


@intrinsic
def copysign(typingctx, size, sign):
    """The size of the one with the sign of the other."""
    vec = _common(size, sign)
    if vec is None:
        return None

    def codegen(context, builder, signature, arguments):
        operands = _operands(context, builder, vec, arguments, signature.args)
        return _call_intrinsic(builder, "copysign", vec, *operands)

    return vec(size, sign), codegen


@intrinsic
def polynomial(typingctx, x, coefficients):
    """c[0] + c[1] x + c[2] x^2 + ..., unrolled; `coefficients` is a tuple of numbers.

    Pairs c[i] + c[i + 1] x side by side, then Horner's scheme in x^2: half the latency of Horner's in x.
    Estrin's full scheme has more multiplications and roundings; exp was 4 to 7% slower with it.
    """
    if not isinstance(x, Vec) or not isinstance(coefficients, types.BaseTuple):
        return None

    def codegen(context, builder, signature, arguments):
        terms = [
            _splat(context, builder, builder.extract_value(arguments[1], place), kind, x)
            for place, kind in enumerate(coefficients)
        ]
        alone = terms[-1:] if len(terms) % 2 else []
        pairs = zip(terms[0::2], terms[1::2], strict=False)
        pairs = [_call_intrinsic(builder, "fma", x, high, arguments[0], low) for low, high in pairs] + alone
        square = builder.fmul(arguments[0], arguments[0])
        result = pairs[-1]
        for pair in pairs[-2::-1]:
            result = _call_intrinsic(builder, "fma", x, result, square, pair)
        return result

    return x(x, coefficients), codegen


@intrinsic
def fill(typingctx, like, value):
    """A number in every lane of a register like the given one."""
    if not isinstance(like, Vec) or not isinstance(value, types.Number):
        return None

    def codegen(context, builder, signature, arguments):
        return _splat(context, builder, arguments[1], signature.args[1], like)

    return like(like, value), codegen
