"""Every output column, declared once: its name, group, unit and meaning.

The kernel fills its columns by these names, the Parquet schema, the histograms, the table in the docs
and the attributes of a data frame are made from the same list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf

from fastlstm.names import PARAMETERS

GROUPS = (
    "norms", "gates", "grads", "carousel", "truncation", "window", "jacobian", "lags", "gate_grads", "gate_lags", "cell"
)  # fmt: skip
STORED = {"grads": "float64"}  # groups that are stored in a type of their own, whatever [store] dtype is
CHOICES = tuple(name for name in GROUPS if name != "window")  # of [measure] groups; windows are asked for by a length
DEFAULT_GROUPS = ("norms", "gates", "carousel")
GATES = {"f": "forget gate", "i": "input gate", "o": "output gate"}
REGIME_COLUMNS = tuple(f"regime_{gate}" for gate in GATES)
CLASSES = ("left", "mid", "right")  # of a gate in a draw
FLAGS = ("exploded", "vanished")

LOG = 1 / 32  # width of a histogram bin near zero, in decades
FINE = 1 / 4096  # the same for quantities of order one


@dataclass(frozen=True)
class Measure:
    """One column of floating point numbers; `resolution` is None for one that is not histogrammed.

    All its values lie between `low` and `high`, but for rounding.
    """

    name: str
    group: str
    unit: str
    meaning: str
    resolution: float | None = None
    low: float = -inf
    high: float = inf


def _log10(name: str, group: str, meaning: str, high: float = inf) -> Measure:
    return Measure(name, group, "log10", f"log10 of {meaning}", LOG, high=high)


def _share(name: str, meaning: str, high: float = 1) -> Measure:
    return Measure(name, "gates", "1", meaning, low=0, high=high)


def _shares() -> Iterable[Measure]:
    for gate, title in GATES.items():
        yield _share(f"{gate}_left", f"share of steps with {title} below saturation")
        yield _share(f"{gate}_right", f"share of steps with {title} above 1 - saturation")


def _gates() -> Iterable[Measure]:
    for gate, title in GATES.items():
        yield _share(f"{gate}_mean", f"mean over steps of the {title}")
        yield _share(f"{gate}_slope", f"mean over steps of the {title}'s slope s'(z)", high=1 / 4)
    yield _share("g_sat", "share of steps with |g| > 0.9")
    yield _share("g_slope", "mean over steps of the candidate's slope 1 - g^2")


def _comparison(mode: str, group: str, title: str) -> Iterable[Measure]:
    gap = f"|{mode} - full| / |full|, {title} gradient, L2 over all 14"
    yield Measure(f"{mode}_rel_error", group, "1", gap, FINE, low=0)
    cosine = f"cosine between the {title} and the full gradient"
    yield Measure(f"{mode}_cosine", group, "1", cosine, FINE, low=-1, high=1)
    sign = f"1 where the {title} dW_hi has the sign of the full one, -1 where it has not, 0 where one is 0"
    yield Measure(f"{mode}_W_hi_sign", group, "1", sign, low=-1, high=1)


def _gate_grads() -> Iterable[Measure]:
    for name in _INNER:
        yield _log10(f"log10_{name}", "gate_grads", f"the L2 norm over t of dL/d{name[1]}_t")
    for name in _INNER:
        yield _log10(f"log10_{name}_max", "gate_grads", f"the largest |dL/d{name[1]}_t|")


# The state adjoints; exploded and vanished are read from these four, so a kernel always fills them.
ADJOINTS = (
    _log10("log10_dh0", "norms", "|dL/dh_0|"),
    _log10("log10_dC0", "norms", "|dL/dC_0|"),
    _log10("log10_dh_max", "norms", "the largest |dL/dh_t|, t = 0..T"),
    _log10("log10_dC_max", "norms", "the largest |dL/dC_t|, t = 0..T"),
)
SHARES = tuple(_shares())

_NORMS = (
    Measure("loss", "norms", "1", "the loss of the draw"),
    _log10("log10_grad", "norms", "the L2 norm of all 14 gradients"),
    *(
        _log10(f"log10_grad_{part}", "norms", f"the L2 norm of the gradients of {names}")
        for part, names in {
            "f": "W_hf, W_xf, b_f",
            "i": "W_hi, W_xi, b_i",
            "o": "W_ho, W_xo, b_o",
            "c": "W_hc, W_xc, b_c",
            "y": "W_y, b_y",
        }.items()
    ),
)
_CAROUSEL = (
    _log10("log10_forget", "carousel", "the product of the forget gates f_1 .. f_T", high=0),
    Measure("memory_time", "carousel", "steps", "-1 / mean over steps of ln f_t", low=0),
)
_JACOBIAN = (
    Measure("lyapunov_1", "jacobian", "1/step", "(1/T) ln of the larger singular value of J_T .. J_1", FINE),
    Measure("lyapunov_2", "jacobian", "1/step", "(1/T) ln of the smaller singular value of J_T .. J_1", FINE),
    _log10("log10_J_CC", "jacobian", "|dC_T/dC_0|"),
    _log10("log10_J_Ch", "jacobian", "|dC_T/dh_0|"),
    _log10("log10_J_hC", "jacobian", "|dh_T/dC_0|"),
    _log10("log10_J_hh", "jacobian", "|dh_T/dh_0|"),
    Measure("b_max", "jacobian", "1", "the largest |b_t|, b_t = tanh(C_t) s'(z^o_t) W_ho", FINE, low=0),
)
_CELL = (
    Measure("C_max", "cell", "1", "the largest |C_t|", FINE, low=0),
    Measure("C_mean", "cell", "1", "mean over steps of |C_t|", FINE, low=0),
    Measure("tau_slope", "cell", "1", "mean over steps of the slope 1 - tanh^2 C_t", FINE, low=0, high=1),
)
_INNER = ("df", "di", "do", "dg")
_LADDER = (1, 2, 5)


def lags(steps: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50, ...: the lags that fit into `steps` steps."""
    ladder = (mantissa * 10**power for power in range(len(str(steps))) for mantissa in _LADDER)
    return tuple(lag for lag in ladder if lag < steps)


def _lags(steps: int) -> Iterable[Measure]:
    for lag in lags(steps):
        yield _log10(f"log10_dh_lag_{lag}", "lags", f"|dL/dh_(T-{lag})|")
        yield _log10(f"log10_dC_lag_{lag}", "lags", f"|dL/dC_(T-{lag})|")


def _gate_lags(steps: int) -> Iterable[Measure]:
    for lag in lags(steps):
        for name in _INNER:
            yield _log10(f"log10_{name}_lag_{lag}", "gate_lags", f"|dL/d{name[1]}_(T-{lag})|")


@cache
def group(name: str, steps: int = 1) -> tuple[Measure, ...]:
    """The measures of one group, in the order of their columns; `steps` decides how many lags there are."""
    return {
        "gates": (*SHARES, *_gates()),
        "norms": (*ADJOINTS, *_NORMS),
        "grads": tuple(Measure(f"d{p}", "grads", "1", f"dL/d{p}") for p in PARAMETERS),
        "carousel": _CAROUSEL,
        "truncation": (
            *_comparison("cec", "truncation", "truncated (1997)"),
            *_comparison("local", "truncation", "one-step"),
        ),
        "window": tuple(_comparison("window", "window", "windowed")),
        "jacobian": _JACOBIAN,
        "lags": tuple(_lags(steps)),
        "gate_grads": tuple(_gate_grads()),
        "gate_lags": tuple(_gate_lags(steps)),
        "cell": _CELL,
    }[name]


def selected(groups: Sequence[str], steps: int = 1) -> tuple[Measure, ...]:
    """The measures of the chosen groups, in the order of the groups."""
    return tuple(measure for name in GROUPS if name in groups for measure in group(name, steps))
