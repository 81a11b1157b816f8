"""How often the 95% interval of a difference between two runs holds the true one.

Run it as python benchmarks/difference_coverage.py; it takes a minute.

Both runs are units with zero weights, whose mean forget gate is s(b_f) with b_f from N(m, 1), m = 0 and m = 1/2. So the
shares of draws with a forget gate above 0.6, and the medians of the gate, are known. Paired draws have common seeds.
"""

import math
import sys
import tempfile
from pathlib import Path
from statistics import NormalDist

import fastlstm
from fastlstm.report.compare import compare

SEEDS = 100
LEAST = 93
MEANS = (0.0, 0.5)
SPEC = {
    "draws": 400,
    "steps": 2,
    "store": {"dtype": "float64"},
    "claim": [
        {"text": "Open.", "statistic": "share(f_mean > 0.6)", "predicts": "> 0"},
        {"text": "Typical.", "statistic": "median(f_mean)", "predicts": "> 0"},
    ],
}
EDGE = math.log(0.6 / 0.4)
TRUE = {
    "share(f_mean > 0.6)": NormalDist(MEANS[0]).cdf(EDGE) - NormalDist(MEANS[1]).cdf(EDGE),
    "median(f_mean)": 1 / (1 + math.exp(-MEANS[1])) - 1 / (1 + math.exp(-MEANS[0])),
}


def spec(mean: float, seed: int) -> dict[str, object]:
    """A unit with zero weights and a drawn forget bias."""
    params = {"default": 0.0, "b_f": {"normal": {"mean": mean, "std": 1.0}}}
    return SPEC | {"params": params, "seed": seed}


def main() -> int:
    held = {(name, kind): 0 for name in TRUE for kind in ("common seeds", "other seeds")}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(SEEDS):
            runs = [
                fastlstm.run(spec(mean, of), Path(folder) / f"{seed}-{name}")
                for name, (mean, of) in enumerate([(MEANS[0], seed), (MEANS[1], seed), (MEANS[1], SEEDS + seed)])
            ]
            for kind, other in (("common seeds", runs[1]), ("other seeds", runs[2])):
                table = compare(runs[0], other).set_index("statistic")
                for name, true in TRUE.items():
                    held[name, kind] += bool(table.loc[name, "low"] <= true <= table.loc[name, "high"])
    for (name, kind), number in held.items():
        print(f"{name}, {kind}: {number} of {SEEDS} intervals hold the true difference {TRUE[name]:.4f}")
    return int(min(held.values()) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
