"""The group `carousel`: the product of the forget gates, and the time in which it falls to 1/e.

ln f = min(z, 0) + ln max(f, 1 - f): a sum, and a product whose log is taken when it gets small.
"""

from collections import namedtuple

from fastlstm import measures
from fastlstm.kernel.elementary import log
from fastlstm.kernel.lanes.jit import inline
from fastlstm.kernel.lanes.simd import absolute, fill, maximum, minimum, polynomial, select

LN_10 = 2.302585092994045684

Carousel = namedtuple("Carousel", [m.name for m in measures.group("carousel")])
# ln prod f_t = negative + ln larger + log
Forget = namedtuple("Forget", "negative larger log")


@inline
def start(zero):
    return Forget(zero, fill(zero, 1.0), zero)


@inline
def add(forget, p, seen):
    """One more factor f_t.

    A logarithm at every step would cost a tenth of the forward pass. Near f = 0 or 1 the product would lose ln
    max(f, 1 - f) to rounding; there it is the series in the slope p = f (1 - f): -(p + 3/2 p^2 + 10/3 p^3 + ...).
    """
    slope = seen.now.f.slope
    series = slope * polynomial(slope, (-1.0, -3.0 / 2, -10.0 / 3, -35.0 / 4, -126.0 / 5))
    saturated = slope < 2.0**-12
    forget = Forget(
        forget.negative + minimum(seen.now.z_f, 0.0) + select(saturated, series, 0.0),
        forget.larger * select(saturated, 1.0, maximum(seen.now.f.value, seen.now.f.complement)),
        forget.log,
    )
    if seen.t & 63 == 63:
        forget = settle(forget)
    return forget


@inline
def settle(forget):
    """Take the logarithm of the product, which is at least 2^-n after n steps."""
    return Forget(forget.negative, fill(forget.larger, 1.0), forget.log + log(forget.larger))


@inline
def log_product(forget):
    """ln of the product of the forget gates."""
    return forget.negative + forget.log + log(forget.larger)


@inline
def columns(done):
    """log10 of the product, and the steps over |its ln|."""
    log_forget = log_product(done.ahead.tallies.carousel)
    return Carousel(log10_forget=log_forget / LN_10, memory_time=done.terms.steps / absolute(log_forget))
