"""Gates that saturate: what float32 costs where its range does not suffice."""

from collections.abc import Callable
from functools import partial

import numpy as np

import fastlstm
from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.timing import Contestant, interleave, ratio

TITLE = "Saturated gates"
TEXT = """\
`fastlstm.gradients` of 100 steps on one processor, all weights and inputs N(0, 1), and the four biases of the gates and
the candidate +-b, signs at random. A float32 draw that may leave the range of float32 is computed in float64 as well,
from the float32 values: "again" is the share of these. So float32 costs at least its own time, that of ordinary draws,
and that share of float64's; what is above it is copying and converting them."""

STEPS = 100
DRAWS = 30_000
BIASES = (0, 7, 20)
_B = [fastlstm.PARAMETERS.index(name) for name in ("b_f", "b_i", "b_o", "b_c")]


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    table = Table("", ["b", "again, %", "float32, ns a step", "float64, ns a step", "float32 over float64", "median"])
    for bias in BIASES:
        tell(f"saturated, b = {bias}")
        random = np.random.default_rng(bias)
        params, x = random.normal(size=(DRAWS, 14)), random.normal(size=(DRAWS, STEPS))
        params[:, _B] = bias * np.sign(params[:, _B])
        contest, results = [], {}
        for dtype in ("float32", "float64"):
            # both of the float32 values
            values = [array.astype("float32").astype(dtype) for array in (params, x, np.ones(STEPS))]
            solve = partial(fastlstm.gradients, *values)
            results[dtype] = solve().params.astype("float32")
            contest.append(Contestant(dtype, solve, DRAWS * STEPS, one_processor=True))
        again = float((results["float32"] == results["float64"]).all(axis=1).mean())
        times = interleave(contest, seconds=effort.seconds)
        over = ratio(times["float32"], times["float64"])
        spent = [times[dtype].summary()["min"] for dtype in ("float32", "float64")]
        table.rows.append([bias, 100 * again, *spent, over["min"], over["median"]])
        findings.figures[f"saturated_{bias}"] = over["min"]
    findings.tables.append(table)
    return findings
