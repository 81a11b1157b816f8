"""Print the page of the columns: python docs/make_measures.py > docs/measures.md"""

import sys
from collections.abc import Iterable, Iterator

from fastlstm import measures
from fastlstm.names import PARAMETERS

HEAD = f"""\
# Columns

[Documentation](README.md) · Use

This page is made from `fastlstm/measures.py` by `python docs/make_measures.py > docs/measures.md`.

## Rows: draws/

One row for each draw that is kept, by point and draw. `groups` in `[measure]` chooses what is measured; the
default is {", ".join(measures.DEFAULT_GROUPS)}. In a data frame, `df.attrs["units"]` and
`df.attrs["meanings"]` say what the tables below say. The log10 of a true 0 is -inf.

### always

| column | type | meaning |
|---|---|---|
| `point` | category | number of the point, from the name of the folder |
| `draw` | int64 | number of the draw within its point |
| *axis* | number or category | value of the point; for a parameter with numbers its own column has it |
| {", ".join(f"`{name}`" for name in PARAMETERS)} | store's | the parameters drawn |
| `h0`, `C0` | store's | the state before the first step, where it is not one number for all draws |
| `regime_f`, `regime_i`, `regime_o` | left < mid < right | at a side at more than `majority` of the steps |
| `exploded` | bool | \\|dL/dh_t\\| or \\|dL/dC_t\\| was above `exploded` at some t = 0..T |
| `vanished` | bool | \\|dL/dh_0\\| and \\|dL/dC_0\\| are both below `vanished` |

The store's type, float32 unless `[store]` says otherwise, is also that of all measures below but
those of `grads`, which are float64: a gradient may leave the range of float32 in either direction.
"""

LAGS = "The lags are 1, 2, 5, 10, 20, 50, ... below the number of steps, which here is 3."
NOTES = {
    "grads": "Always float64. Beyond its range a gradient is inf or 0; `fastlstm replay` has its log10 and sign.",
    "window": (
        "Not listed in `groups`: `window = k` in `[measure]` adds these columns to those of `truncation`. Windows\n"
        "have k steps, counted from the first; what comes back across a border is dropped."
    ),
}

TAIL = """
## Regime table: regimes.parquet

One row for each point and regime that has draws. Every draw counts, whether its row is kept or not.

| column | meaning |
|---|---|
| `point`, `regime_f`, `regime_i`, `regime_o` | which draws |
| `draws`, `share` | how many they are, and their share of the point's draws |
| `exploded`, `vanished` | how many of them did |
| `exploded_low`, `_high`, `vanished_low`, `_high` | 95% interval of that share, Wilson 1927 |
| *measure*`_min`, *measure*`_max` | the extremes, exact |
| *measure*`_q01`, `_q05`, `_q25`, `_q50`, `_q75`, `_q95`, `_q99` | quantiles, from the histogram |

Measures with "yes" above have extremes and quantiles. A quantile is right to the width of a bin.

## Counts: histograms.parquet

| column | meaning |
|---|---|
| `point`, `regime` | the point; 9 f + 3 i + o with 0, 1, 2 for left, mid, right |
| `measure`, `bin`, `count` | how many values of a measure (or of a flag: 0 or 1) are in a bin |
| `low`, `high` | the extremes of the measure in the regime |

A bin of a logarithm is 1/32 decade wide up to 8 decades on either side of 0. A bin of the other measures with
"yes" is 1/4096 wide up to 1/16. Farther out bins grow with the value, to at most 1/128 of it. Counts of
disjoint draws add up.

## Points: points.parquet

One row for each point: `point`, its value on each axis, `steps` and `draws`.

## Verdicts: claims.parquet

One row for each claim and point, if the spec has claims: [claims.md](claims.md#claimsparquet).
"""


def table(group: Iterable[measures.Measure]) -> Iterator[str]:
    yield "| column | unit | meaning | in the regime table |"
    yield "|---|---|---|---|"
    for measure in group:
        meaning = measure.meaning.replace("|", r"\|")
        counted = "no" if measure.resolution is None else "yes"
        yield f"| `{measure.name}` | {measure.unit} | {meaning} | {counted} |"


def page() -> str:
    lines = [HEAD]
    for name in measures.GROUPS:
        lines += [f"### {name}", ""]
        if name in ("lags", "gate_lags"):
            lines += [LAGS, ""]
        if name in NOTES:
            lines += [NOTES[name], ""]
        lines += [*table(measures.group(name, steps=3)), ""]
    return "\n".join(lines[:-1]) + "\n" + TAIL


if __name__ == "__main__":
    sys.stdout.write(page())
