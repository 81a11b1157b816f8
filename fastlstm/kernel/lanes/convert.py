"""Registers of lanes as other types: values converted, bits read anew, and constants that go by the width of a type."""

from llvmlite import ir
from numba import typeof
from numba.core import types
from numba.extending import intrinsic

from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import Vec, fill, is_float, is_signed, llvm_type, select


def _scalar_type(dtype):
    return dtype.dtype if isinstance(dtype, types.NumberClass) else None


def converted(builder, value, source, target):
    """A register's values in another scalar type."""
    kind = llvm_type(target)
    if source.dtype == target.dtype:
        return value
    if is_float(source) and is_float(target):
        wider = target.dtype.bitwidth > source.dtype.bitwidth
        return (builder.fpext if wider else builder.fptrunc)(value, kind)
    if is_float(source):
        return (builder.fptosi if is_signed(target) else builder.fptoui)(value, kind)
    if source.dtype == types.boolean:
        return (builder.uitofp if is_float(target) else builder.zext)(value, kind)
    if is_float(target):
        return (builder.sitofp if is_signed(source) else builder.uitofp)(value, kind)
    if target.dtype.bitwidth > source.dtype.bitwidth:
        return (builder.sext if is_signed(source) else builder.zext)(value, kind)
    if target.dtype.bitwidth < source.dtype.bitwidth:
        return builder.trunc(value, kind)
    return value


@intrinsic
def convert(typingctx, v, dtype):
    """The values of v as another scalar type; a mask becomes 0 and 1; fractions are cut off."""
    scalar = _scalar_type(dtype)
    if scalar is None or not isinstance(v, Vec):
        return None
    target = Vec(scalar, v.lanes)

    def codegen(context, builder, signature, arguments):
        return converted(builder, arguments[0], v, target)

    return target(v, dtype), codegen


@intrinsic
def bits(typingctx, v, dtype):
    """The bits of v read as another scalar type of the same width."""
    scalar = _scalar_type(dtype)
    if scalar is None or not isinstance(v, Vec) or scalar.bitwidth != v.dtype.bitwidth:
        return None
    target = Vec(scalar, v.lanes)

    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], llvm_type(target))

    return target(v, dtype), codegen


def _bits_as(integers):
    """A conversion to integers of the same width, given as their types of 32 and of 64 bits."""

    def function(typingctx, v):
        if not isinstance(v, Vec) or not is_float(v):
            return None
        target = Vec(integers[v.dtype == types.float64], v.lanes)

        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], llvm_type(target))

        return target(v), codegen

    return function


as_integer = intrinsic(_bits_as((types.int32, types.int64)))  # the bits of a floating register as signed integers
as_unsigned = intrinsic(_bits_as((types.uint32, types.uint64)))  # the same, unsigned


def _float_of(v):
    return Vec(types.float32 if v.dtype.bitwidth == 32 else types.float64, v.lanes)


@intrinsic
def as_float(typingctx, k):
    """The bits of an integer register as floating point numbers of the same width."""
    target = _float_of(k)

    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], llvm_type(target))

    return target(k), codegen


@intrinsic
def to_float(typingctx, k):
    """The values of an integer register as floating point numbers of the same width."""
    target = _float_of(k)

    def codegen(context, builder, signature, arguments):
        return converted(builder, arguments[0], k, target)

    return target(k), codegen


@intrinsic
def lane_numbers(typingctx, dtype, lanes):
    """0, 1, 2, ... in a register of a scalar type; `lanes` is a literal."""
    scalar = _scalar_type(dtype)
    if scalar is None or not isinstance(lanes, types.IntegerLiteral):
        return None
    target = Vec(scalar, lanes.literal_value)

    def codegen(context, builder, signature, arguments):
        return ir.Constant(llvm_type(target), list(range(target.lanes)))

    return target(dtype, lanes), codegen


@inline
def one_if(mask, like):
    """1 where the mask is set, 0 elsewhere, as numbers like the given ones."""
    return select(mask, fill(like, 1.0), 0.0)


# --- constants by width ------------------------------------------------------------------------------


def by_width(single, double):
    """A function of a register or an array that gives the first constant for 32 bits, the second for 64.

    A constant may be a tuple, and the two may differ in type.
    """
    constants = {32: single, 64: double}

    @intrinsic
    def constant(typingctx, v):
        dtype = getattr(v, "dtype", None)
        if not isinstance(dtype, types.Number):
            return None
        value = constants[dtype.bitwidth]
        kind = typeof(value)

        def codegen(context, builder, signature, arguments):
            return context.get_constant_generic(builder, kind, value)

        return kind(v), codegen

    return constant


mantissa_bits = by_width(23, 52)
exponent_bias = by_width(127, 1023)
