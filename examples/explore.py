"""A short tour of a run's rows in pandas: python examples/explore.py [results/atlas [atlas.png]].

`make sim` makes results/atlas.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

run = sys.argv[1] if len(sys.argv) > 1 else "results/atlas"
picture = sys.argv[2] if len(sys.argv) > 2 else "atlas.png"

# One row is one draw: its 14 parameters, its regimes, what became of its gradient. Take the columns you need.
columns = ["regime_f", "regime_i", "vanished", "exploded", "f_mean", "log10_dC0"]
df = pd.read_parquet(f"{run}/draws", columns=columns)
print(f"{len(df):,} draws; log10_dC0 is {df.attrs['meanings']['log10_dC0']}")

# Regimes are ordered categories, so tables come out left, mid, right. Group shares, never means of gradients: their
# tails are so heavy that a mean is the value of its largest draw.
df["lives"] = ~(df["vanished"] | df["exploded"])
by_regime = df.groupby(["regime_f", "regime_i"], observed=True)
print("\nWhat became of the gradient after all steps, by regime of forget and input gate")
print(by_regime[["vanished", "lives", "exploded"]].mean().assign(draws=by_regime.size()).round(4).to_string())

# The logarithms have quantiles. -inf is a true 0, and a quantile may be one.
print("\nQuantiles of log10 |dL/dC_0|, where the forget gate is open")
is_open = df["regime_f"] == "right"
quantiles = df[is_open].groupby("regime_i", observed=True)["log10_dC0"].quantile([0.05, 0.25, 0.5, 0.75, 0.95])
print(quantiles.unstack().round(2).to_string())

# Where the input gate is shut, the cell path carries the gradient, and the mean of the forget gate says how far.
is_shut = df["regime_i"] == "left"
edges = [0, 0.1, 0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1]
f = pd.cut(df["f_mean"], edges, include_lowest=True)
median = df[is_shut].groupby(f, observed=True)["log10_dC0"].agg(["median", "size"])
print("\nMedian log10 |dL/dC_0| by the mean of the forget gate, where the input gate is shut")
print(median.to_string(float_format="{:.2f}".format))

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for regime, rows in df[is_open].groupby("regime_i", observed=True):
    values = rows["log10_dC0"].sort_values()
    axes.plot(values, np.arange(1, len(rows) + 1) / len(rows), label=f"i {regime} ({len(rows):,} draws)")
axes.set_xlim(-30, 5)
axes.set(
    xlabel="log10 |dL/dC_0|",
    ylabel="share of draws below",
    title="Forget gate open: what the input gate leaves of the gradient",
)
axes.legend()
figure.savefig(picture, dpi=150)
print(f"\nThe picture is in {picture}")
