"""Lanes with an exponent of their own: floating point numbers that neither overflow nor underflow.

`Wide` is a register m of sizes in [1, 2), or 0, and an integer register k: the numbers m * 2^k. Arithmetic rounds
like that of m's type, but every result of finite operands is in range: 2^-2^60 to 2^2^60, or in float32 2^-2^30 to
2^2^30. Where a result is in the range of plain numbers it is the plain one, to the bit. It costs several times as
much as plain lanes, so it is used for the draws that leave the range of those, and for no others.

The module has the names of simd, scale and elementary that the equations and the passes are written in, and
`over` puts these in place of those: the same source, over another kind of number.
"""

import operator

from numba import literal_unroll
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

from fastlstm.kernel import elementary, scale
from fastlstm.kernel.lanes import memory, simd
from fastlstm.kernel.lanes.jit import OPTIONS, for_kind, generic, inline
from fastlstm.kernel.lanes.simd import Vec

Activation = elementary.Activation


class Wide(types.Type):
    """The Numba type of lanes with exponents."""

    own_meaning = True

    def __init__(self, vec: Vec) -> None:
        self.vec = vec
        super().__init__(name=f"Wide({vec})")

    @property
    def exponents(self) -> Vec:
        """The type of k."""
        return Vec(types.int32 if self.vec.dtype == types.float32 else types.int64, self.vec.lanes)


@register_model(Wide)
class _WideModel(models.StructModel):
    def __init__(self, manager, wide):
        super().__init__(manager, wide, [("m", wide.vec), ("k", wide.exponents)])


@intrinsic
def _pair(typingctx, m, k):
    wide = Wide(m)

    def codegen(context, builder, signature, arguments):
        held = cgutils.create_struct_proxy(wide)(context, builder)
        held.m, held.k = arguments
        return held._getvalue()

    return wide(m, k), codegen


def _member(name):
    def function(typingctx, w):
        if not isinstance(w, Wide):
            return None

        def codegen(context, builder, signature, arguments):
            return getattr(cgutils.create_struct_proxy(w)(context, builder, arguments[0]), name)

        return (w.vec if name == "m" else w.exponents)(w), codegen

    return function


size_of = intrinsic(_member("m"))
scale_of = intrinsic(_member("k"))


@inline
def normalised(m, k):
    """m * 2^k with m brought into [1, 2); zero has the lowest exponent of all."""
    own = scale.exponent(m)
    own = simd.select(own > simd.exponent_bias(m), 0, own)  # inf and NaN stay what they are
    least = scale.nowhere(k)
    return _pair(m * scale.power_of_two(-own), simd.select(m == 0.0, least, simd.maximum(k + own, least)))


@inline
def widen(v):
    """Plain lanes as wide ones."""
    return normalised(v, simd.as_integer(v) & 0)


@inline
def narrow(w):
    """Wide lanes as plain ones, inf or 0 where they are out of range."""
    return scale.times_power_of_two(size_of(w), scale_of(w))


# --- operators -----------------------------------------------------------------------------------


@inline
def _add(a, b):
    k = simd.maximum(scale_of(a), scale_of(b))
    # what is smaller by the whole range of a float is far below the last bit of the sum
    small, large = scale.power_of_two(scale_of(a) - k), scale.power_of_two(scale_of(b) - k)
    return normalised(size_of(a) * small + size_of(b) * large, k)


@inline
def _negate(a):
    return _pair(-size_of(a), scale_of(a))


@inline
def _subtract(a, b):
    return _add(a, _negate(b))


@inline
def _multiply(a, b):
    return normalised(size_of(a) * size_of(b), scale_of(a) + scale_of(b))


@inline
def _divide(a, b):
    return normalised(size_of(a) / size_of(b), scale_of(a) - scale_of(b))


@inline
def _below(a, b):
    return size_of(_subtract(a, b)) < 0.0


@inline
def _above(a, b):
    return size_of(_subtract(a, b)) > 0.0


@inline
def _equal(a, b):
    return size_of(_subtract(a, b)) == 0.0


@inline
def _unequal(a, b):
    return size_of(_subtract(a, b)) != 0.0


def _on_wide(symbol, wide):
    """Give an operator its meaning where one side, at least, is wide."""

    @overload(symbol, jit_options=OPTIONS)
    def choose(a, b):
        if isinstance(a, Wide) and isinstance(b, Wide):
            return lambda a, b: wide(a, b)
        if isinstance(a, Wide) and isinstance(b, Vec):
            return lambda a, b: wide(a, widen(b))
        if isinstance(a, Vec) and isinstance(b, Wide):
            return lambda a, b: wide(widen(a), b)
        if isinstance(a, Wide) and isinstance(b, types.Number):
            return lambda a, b: wide(a, widen(simd.fill(size_of(a), b)))
        if isinstance(a, types.Number) and isinstance(b, Wide):
            return lambda a, b: wide(widen(simd.fill(size_of(b), a)), b)
        return None


_on_wide(operator.add, _add)
_on_wide(operator.sub, _subtract)
_on_wide(operator.mul, _multiply)
_on_wide(operator.truediv, _divide)
_on_wide(operator.lt, _below)
_on_wide(operator.gt, _above)
_on_wide(operator.eq, _equal)
_on_wide(operator.ne, _unequal)


@overload(operator.neg, jit_options=OPTIONS)
def _neg(a):
    return (lambda a: _negate(a)) if isinstance(a, Wide) else None


# --- the operations of simd, scale, elementary and memory ----------------------------------------


@for_kind(simd.fma)
def _fma(a, b, c):
    return _plain_if_in_range(simd.fma(_lanes(a), _lanes(b), _lanes(c)), a * b + c)


@inline
def _plain_if_in_range(plain, wide):
    """What plain lanes give, where that is in their range, so that both kinds follow the same orbit."""
    size = simd.absolute(plain)
    smallest, largest = simd.of_dtype(plain, 2.0**-100, 2.0**-1000), simd.of_dtype(plain, 2.0**120, 2.0**1000)
    return _pick((size >= smallest) & (size <= largest), widen(plain), wide)


@generic
def _lanes(v):
    """Plain lanes, of either kind."""
    return v


@for_kind(_lanes)
def _narrowed(v):
    return narrow(v)


@for_kind(simd.fill)
def _fill(like, value):
    return widen(simd.fill(size_of(like), value))


@inline
def _pick(mask, a, b):
    return _pair(
        simd.select(mask, size_of(a), size_of(b)),
        simd.select(mask, scale_of(a), scale_of(b)),
    )


@overload(simd.select, jit_options=OPTIONS, strict=False)
def _select(mask, a, b):
    if isinstance(a, Wide) and isinstance(b, types.Number):
        return lambda mask, a, b: _pick(mask, a, simd.fill(a, b))
    if isinstance(b, Wide) and isinstance(a, types.Number):
        return lambda mask, a, b: _pick(mask, simd.fill(b, a), b)
    if isinstance(a, Wide) or isinstance(b, Wide):
        return lambda mask, a, b: _pick(mask, a, b)
    return None


@for_kind(simd.absolute)
def _absolute(v):
    return _pair(simd.absolute(size_of(v)), scale_of(v))


@for_kind(simd.maximum)
def _maximum(a, b):
    return simd.select(a > b, a, b)


@for_kind(simd.minimum)
def _minimum(a, b):
    return simd.select(a < b, a, b)


@for_kind(simd.square_root)
def _square_root(v):
    odd = scale_of(v) & 1
    return normalised(simd.square_root(size_of(v) * scale.power_of_two(odd)), (scale_of(v) - odd) >> 1)


@for_kind(simd.polynomial)
def _polynomial(v, coefficients):
    return simd.polynomial(narrow(v), coefficients)


@for_kind(simd.as_integer)
def _as_integer(v):
    return scale_of(v) & 0


@for_kind(simd.of_dtype)
def _of_dtype(v, single, double):
    return simd.of_dtype(size_of(v), single, double)


@for_kind(scale.exponent)
def _exponent(v):
    return scale_of(v) & 0


@for_kind(scale.times_power_of_two)
def _times_power_of_two(v, k):
    return normalised(size_of(v), scale_of(v) + k)


@for_kind(scale.outside)
def _outside(v, smallest, largest):
    return size_of(v) < -2.0


@for_kind(scale.log_scaled)
def _log_scaled(v, k):
    return scale.log_scaled(size_of(v), scale_of(v) + k)


@for_kind(scale.log10_scaled)
def _log10_scaled(v, k):
    return scale.log10_scaled(size_of(v), scale_of(v) + k)


@for_kind(elementary.log)
def _log(v):
    return scale.log_scaled(size_of(v), scale_of(v))


@for_kind(elementary.log_sigmoid)
def _log_sigmoid(z):
    return elementary.log_sigmoid(narrow(z))


@inline
def _decay(a):
    """exp(-a) for plain lanes a >= 0; beyond what exp_in_parts takes, the 16th power of exp(-a / 16)."""
    limit = simd.of_dtype(a, 2.0**21, 2.0**30)
    far = a > limit
    k, q = elementary.exp_in_parts(-simd.minimum(simd.select(far, 0.0625 * a, a), limit))
    e = normalised(1.0 + q, k)
    squared = e * e
    fourth = squared * squared
    eighth = fourth * fourth
    return _pick(far, eighth * eighth, e)


@inline
def _sigmoid(v, plain):
    larger = widen(plain.larger)
    smaller = _decay(simd.absolute(v)) * larger
    value = _plain_if_in_range(plain.value, _pick(v < 0.0, smaller, larger))
    return Activation(value, _plain_if_in_range(plain.slope, smaller * larger), larger)


@inline
def _tanh(z, v, plain):
    larger = widen(plain.larger)
    smaller = _decay(2.0 * simd.absolute(v)) * larger
    value = _plain_if_in_range(plain.value, z)  # where it is tiny, tanh(z) is z
    return Activation(value, _plain_if_in_range(plain.slope, 4.0 * (smaller * larger)), larger)


@for_kind(elementary.sigmoid)
def _sigmoid_of(z):
    v = narrow(z)
    return _sigmoid(v, elementary.sigmoid(v))


@for_kind(elementary.tanh)
def _tanh_of(z):
    v = narrow(z)
    return _tanh(z, v, elementary.tanh(v))


@for_kind(elementary.gates)
def _gates_of(z_f, z_i, z_o, z_c):
    v_f, v_i, v_o, v_c = _lanes(z_f), _lanes(z_i), _lanes(z_o), _lanes(z_c)
    f, i, o, g = elementary.gates(v_f, v_i, v_o, v_c)
    return _sigmoid(v_f, f), _sigmoid(v_i, i), _sigmoid(v_o, o), _tanh(z_c, v_c, g)


# --- memory --------------------------------------------------------------------------------------


def _is_pair(array):
    return isinstance(array, types.BaseTuple)


@overload(memory.load, jit_options=OPTIONS, strict=False)
def _load(array, index):
    if _is_pair(array):
        return lambda array, index: _pair(memory.load(array[0], index), memory.load(array[1], index))


@inline
def _store_pair(array, index, v):
    memory.store(array[0], index, size_of(v))
    memory.store(array[1], index, scale_of(v))


@overload(memory.store, jit_options=OPTIONS, strict=False)
def _store(array, index, v):
    if _is_pair(array):
        return lambda array, index, v: _store_pair(array, index, v)
    if isinstance(v, Wide):
        return lambda array, index, v: memory.store(array, index, narrow(v))


@overload(memory.store_column, jit_options=OPTIONS, strict=False)
def _store_column(array, column, registers):
    if isinstance(registers, types.BaseTuple) and any(isinstance(v, Wide) for v in registers):
        return _store_each


def _store_each(array, column, registers):
    k = 0
    for v in literal_unroll(registers):  # which cannot be enumerated
        memory.store(array, (k, column), v)
        k = k + 1
