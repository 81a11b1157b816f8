"""The group `jacobian`: entries and singular values of the product of the Jacobians."""

from collections import namedtuple
from math import inf

from fastlstm import measures
from fastlstm.kernel.groups import carousel
from fastlstm.kernel.lanes.convert import as_integer
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import absolute, fill, maximum, select
from fastlstm.kernel.lstm import Tangent, jacobian, larger_singular_value, log_determinant, propagate
from fastlstm.kernel.scale import (
    exponent,
    log10_scaled,
    log_scaled,
    near_the_end,
    power_of_two,
    times_power_of_two,
)

NEEDS = ("carousel",)

Exponents = namedtuple("Exponents", [m.name for m in measures.group("jacobian")])
# The product of the Jacobians, column by column: dC_t/dC_0 = P.CC * 2^scale_C, dC_t/dh_0 = P.Ch * 2^scale_h, ...;
# the product of |b_t| is b * 2^scale_b
Product = namedtuple("Product", "P scale_C scale_h b scale_b b_max suspect")


@inline
def start(zero):
    one, no_scale = fill(zero, 1.0), as_integer(zero)
    return Product(Tangent(one, zero, zero, one), no_scale, no_scale, one, no_scale, zero, one < 0.0)


@inline
def add(product, p, seen):
    """One more Jacobian from the left, and one more factor of its determinant."""
    J = jacobian(p, seen.d)
    b = absolute(J.b)
    size = exponent(b)
    product = Product(
        P=propagate(J, product.P),
        scale_C=product.scale_C,
        scale_h=product.scale_h,
        b=product.b * (b * power_of_two(-size)),
        scale_b=product.scale_b + size,
        b_max=maximum(product.b_max, b),
        suspect=product.suspect | ((p.W_ho != 0.0) & near_the_end(b)),
    )
    if seen.t & 3 == 3:
        product = settle(product, p)
    return product


@inline
def settle(product, p):
    """Bring each column to a size of about 1."""
    P = product.P
    by_C, by_h, by_b = unit_scale(P.CC, P.hC), unit_scale(P.Ch, P.hh), unit_scale(product.b, product.b)
    return Product(
        P=Tangent(
            CC=P.CC * power_of_two(-by_C),
            hC=P.hC * power_of_two(-by_C),
            Ch=P.Ch * power_of_two(-by_h),
            hh=P.hh * power_of_two(-by_h),
        ),
        scale_C=product.scale_C + by_C,
        scale_h=product.scale_h + by_h,
        b=product.b * power_of_two(-by_b),
        scale_b=product.scale_b + by_b,
        b_max=product.b_max,
        suspect=suspect_product(product, p),
    )


@inline
def unit_scale(a, b):
    """The exponent of the larger of two, or 0 where both are zero."""
    larger = maximum(absolute(a), absolute(b))
    return select(larger > 0, exponent(larger), 0)


@inline
def suspect_product(product, p):
    """Where a column came near the end of the range; h_0 has no influence where no gate listens to h."""
    P = product.P
    moves_C = (p.W_hf != 0.0) | (p.W_hi != 0.0) | (p.W_hc != 0.0)
    by_C = near_the_end(P.CC) | near_the_end(P.hC)
    by_h = near_the_end(P.hh) & (moves_C | (p.W_ho != 0.0))
    return product.suspect | by_C | by_h | (near_the_end(P.Ch) & moves_C)


@inline
def suspect(done):
    return suspect_product(done.ahead.tallies.jacobian, done.p)


@inline
def columns(done):
    """The exponents are (1/T) ln of the singular values, the smaller of which is |det P_T| / the larger."""
    product, steps = done.ahead.tallies.jacobian, done.terms.steps
    P, scale_C, scale_h = product.P, product.scale_C, product.scale_h
    common = maximum(scale_C, scale_h)
    shared = Tangent(
        CC=times_power_of_two(P.CC, scale_C - common),
        hC=times_power_of_two(P.hC, scale_C - common),
        Ch=times_power_of_two(P.Ch, scale_h - common),
        hh=times_power_of_two(P.hh, scale_h - common),
    )
    log_larger = log_scaled(larger_singular_value(shared), common)
    log_f, log_b = carousel.log_product(done.ahead.tallies.carousel), log_scaled(product.b, product.scale_b)
    log_det = log_determinant(log_f, log_b)
    return Exponents(
        lyapunov_1=log_larger / steps,
        lyapunov_2=select(log_larger > -inf, log_det - log_larger, log_det) / steps,
        log10_J_CC=log10_scaled(P.CC, scale_C),
        log10_J_Ch=log10_scaled(P.Ch, scale_h),
        log10_J_hC=log10_scaled(P.hC, scale_C),
        log10_J_hh=log10_scaled(P.hh, scale_h),
        b_max=product.b_max,
    )
