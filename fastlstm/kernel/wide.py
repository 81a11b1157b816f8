"""Lanes with an exponent of their own: floating point numbers that neither overflow nor underflow.

`Wide` is a float64 register m of sizes in [1, 2), or 0, and an integer register k: the numbers m * 2^k. Arithmetic
rounds like float64, but every result of finite operands is in range: 2^-2^60 to 2^2^60. Where a result is in the range
of plain numbers it is the plain one, to the bit. It costs several times as much as plain lanes, so it is used for the
draws that leave the range of float64, and for no others.

The operators and the operations of simd and scale get their meaning for wide numbers here, those of elementary and
memory in widened.py. The equations and the passes are written in these operations, and so serve both kinds.
"""

import operator

from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from fastlstm.kernel import scale
from fastlstm.kernel.lanes import convert, simd
from fastlstm.kernel.lanes.jit import Kind, choose_meaning, generic, inline, meaning
from fastlstm.kernel.lanes.simd import Vec

# Plain numbers that are surely right, their last bits included
SMALLEST = 2.0**-1000
LARGEST = 2.0**1000


class Wide(Kind):
    """The Numba type of lanes with exponents."""

    def __init__(self, vec: Vec) -> None:
        self.vec = vec
        super().__init__(name=f"Wide({vec})")

    @property
    def dtype(self) -> types.Type:
        """The scalar type of m."""
        return self.vec.dtype

    @property
    def exponents(self) -> Vec:
        """The type of k."""
        return Vec(types.int64, self.vec.lanes)


@register_model(Wide)
class _WideModel(models.StructModel):
    def __init__(self, manager, wide):
        super().__init__(manager, wide, [("m", wide.vec), ("k", wide.exponents)])


@intrinsic
def pair(typingctx, m, k):
    """m * 2^k, where m is in [1, 2) or 0."""
    wide = Wide(m)

    def codegen(context, builder, signature, arguments):
        members = cgutils.create_struct_proxy(wide)(context, builder)
        members.m, members.k = arguments
        return members._getvalue()

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
    own = simd.select(own > convert.exponent_bias(m), 0, own)  # inf and NaN stay what they are
    least = scale.EXPONENT_OF_ZERO(k)
    return pair(m * scale.power_of_two(-own), simd.select(m == 0.0, least, simd.maximum(k + own, least)))


@inline
def widen(v):
    """Plain lanes as wide ones."""
    return normalised(v, convert.as_integer(v) & 0)


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
    return pair(-size_of(a), scale_of(a))


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

    @choose_meaning(symbol)
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
meaning(operator.neg, Wide)(lambda a: _negate(a))


# --- the operations of simd, scale, elementary and memory ----------------------------------------


@meaning(simd.fma, Wide)
def _fma(a, b, c):
    return plain_if_in_range(simd.fma(plain_lanes(a), plain_lanes(b), plain_lanes(c)), a * b + c)


@inline
def plain_if_in_range(plain, wide):
    """What plain lanes give, where that is in their range, so that both kinds follow the same orbit."""
    size = simd.absolute(plain)
    return pick((size >= SMALLEST) & (size <= LARGEST), widen(plain), wide)


@generic
def plain_lanes(v):
    """Plain lanes, of either kind."""
    return v


@meaning(plain_lanes, Wide)
def _narrowed(v):
    return narrow(v)


@meaning(simd.fill, Wide)
def _fill(like, value):
    return widen(simd.fill(size_of(like), value))


@inline
def pick(mask, a, b):
    """Wide a where the mask is set, wide b elsewhere."""
    return pair(
        simd.select(mask, size_of(a), size_of(b)),
        simd.select(mask, scale_of(a), scale_of(b)),
    )


@choose_meaning(simd.select)
def _select(mask, a, b):
    if isinstance(a, Wide) and isinstance(b, types.Number):
        return lambda mask, a, b: pick(mask, a, simd.fill(a, b))
    if isinstance(b, Wide) and isinstance(a, types.Number):
        return lambda mask, a, b: pick(mask, simd.fill(b, a), b)
    if isinstance(a, Wide) or isinstance(b, Wide):
        return lambda mask, a, b: pick(mask, a, b)
    return None


@meaning(simd.absolute, Wide)
def _absolute(v):
    return pair(simd.absolute(size_of(v)), scale_of(v))


@meaning(simd.maximum, Wide)
def _maximum(a, b):
    return simd.select(a > b, a, b)


@meaning(simd.minimum, Wide)
def _minimum(a, b):
    return simd.select(a < b, a, b)


@meaning(simd.square_root, Wide)
def _square_root(v):
    odd = scale_of(v) & 1
    return normalised(simd.square_root(size_of(v) * scale.power_of_two(odd)), (scale_of(v) - odd) >> 1)


@meaning(simd.polynomial, Wide)
def _polynomial(v, coefficients):
    return simd.polynomial(narrow(v), coefficients)


@meaning(convert.as_integer, Wide)
def _as_integer(v):
    return scale_of(v) & 0


@meaning(scale.exponent, Wide)
def _exponent(v):
    return scale_of(v) & 0


@meaning(scale.times_power_of_two, Wide)
def _times_power_of_two(v, k):
    return normalised(size_of(v), scale_of(v) + k)


@meaning(scale.outside, Wide)
def _outside(v, smallest, largest):
    return size_of(v) < -2.0


@meaning(scale.log_scaled, Wide)
def _log_scaled(v, k):
    return scale.log_scaled(size_of(v), scale_of(v) + k)


@meaning(scale.log10_scaled, Wide)
def _log10_scaled(v, k):
    return scale.log10_scaled(size_of(v), scale_of(v) + k)
