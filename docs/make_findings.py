"""Print the page of the findings from the runs in results/: python docs/make_findings.py > docs/findings.md

After `make sims`; another folder of runs may be named as the argument. The words are those of docs/findings.in, where
<section.name> stands for a number or a table from the runs. docs/make_figures.py draws the figures.
"""

import math
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import fastlstm
from fastlstm.cli.text import predicted_text

ROOT = Path(__file__).parents[1]
RESULTS = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results"
SIMULATIONS = sorted(path.stem for path in (ROOT / "sims").glob("*.toml"))
WIDTH = 118


def rows(name: str, *columns: str) -> pd.DataFrame:
    """The rows of a run."""
    return fastlstm.read(RESULTS / name).draws(columns=list(columns))


def head(names: list[str]) -> str:
    """The head of a table."""
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.2f}%"


def atlas() -> Iterator[tuple[str, str]]:
    df = rows("atlas", "regime_f", "regime_i", "vanished", "exploded", "default_normal_std")
    df["lives"] = ~(df.vanished | df.exploded)
    yield "draws", f"{len(df):,}"
    for f in ("left", "mid", "right"):
        yield f"lives_{f}", percent(df.lives[df.regime_f == f].mean())
    for i in ("left", "mid", "right"):
        yield f"lives_right_{i}", percent(df.lives[(df.regime_f == "right") & (df.regime_i == i)].mean())
    yield "exploded_large", percent(df.exploded[df.default_normal_std == df.default_normal_std.max()].mean())
    yield "exploded_small", f"{df.exploded[df.default_normal_std == df.default_normal_std.min()].sum()}"


def carousel() -> Iterator[tuple[str, str]]:
    df = rows("carousel", "b_f", "b_i", "vanished", "exploded", "log10_J_CC", "log10_J_Ch", "log10_J_hC")
    for name, b_f, b_i in (("shut", 12, -12), ("open", 12, 0)):
        some = df[(df.b_f == b_f) & (df.b_i == b_i)]
        yield f"vanished_{name}", percent(some.vanished.mean())
        yield f"kept_{name}", f"{10 ** some.log10_J_CC.median():.3f}"
        yield f"out_{name}", f"{some.log10_J_hC.median():.1f}"
    for b_f in (6, 8, 12):
        some = df[(df.b_f == b_f) & (df.b_i == -12)]
        yield f"into_{b_f}", f"{some.log10_J_Ch.median():.2f}"
    yield "exploded", f"{df.exploded.sum()}"
    yield "draws", f"{len(df):,}"


def counterexample() -> Iterator[tuple[str, str]]:
    for name, file in (("above", "counterexample"), ("below", "counterexample_below_four")):
        df = rows(file, "point", "log10_J_hh")
        for point, start in ((0, "recorded"), (1, "random")):
            value = df.log10_J_hh[df.point.astype(int) == point].astype(float)
            yield f"{name}_{start}", scientific(10 ** value.median())
            yield f"{name}_{start}_max", scientific(10 ** value.max())


def scientific(value: float) -> str:
    exponent = math.floor(math.log10(value))
    return f"{value / 10**exponent:.1f}e{exponent}" if not -3 < exponent < 3 else f"{value:.2g}"


def heavy_tail() -> Iterator[tuple[str, str]]:
    df = rows("heavy_tail", "steps", "log10_J_hh")
    for steps, some in df.groupby("steps"):
        for K in (10, 1000):
            yield f"T{steps}_K{K}", f"{K * (some.log10_J_hh > math.log10(K)).mean():.3f}"
    judged = fastlstm.read(RESULTS / "heavy_tail").claims()
    indices = judged[judged.statistic.str.startswith("tail_index")].drop_duplicates("point")
    for steps, index in zip(sorted(df.steps.unique()), indices.sort_values("point").estimate, strict=True):
        yield f"index_{steps}", f"{index:.2f}"
    judged = fastlstm.read(RESULTS / "output_gate").claims()
    fixed = judged[judged.statistic == "tail_index(10 ** log10_J_hh, 0.01)"]
    yield "fixed", f"{fixed.estimate.iloc[0]:.2f}"
    yield "median", f"{10 ** df.log10_J_hh[df.steps == 5].median():.0e}"
    largest = 10 ** df.log10_J_hh.astype(float).groupby(df.steps).max()
    yield "largest", scientific(largest.max())


def truncation() -> Iterator[tuple[str, str]]:
    measured = [f"{mode}_{what}" for mode in ("cec", "local") for what in ("rel_error", "cosine", "W_hi_sign")]
    df = rows("truncation", "steps", "regime_f", *measured)
    heads = "T, forget gate, draws, mode, error: median, error: 95%, cosine: 5%, wrong sign of dW_hi"
    lines = [head(heads.split(", "))]
    groups = [(steps, "any", some) for steps, some in df.groupby("steps")]
    groups += [(20, regime, some) for regime, some in df[df.steps == 20].groupby("regime_f", observed=True)]
    for steps, regime, some in groups:
        for mode in ("cec", "local"):
            error, cosine = some[f"{mode}_rel_error"], some[f"{mode}_cosine"]
            wrong = (some[f"{mode}_W_hi_sign"] < 0).mean()
            lines.append(
                f"| {steps} | {regime} | {len(some):,} | `{mode}` | {error.median():.4f} | {error.quantile(0.95):.3f} "
                f"| {cosine.quantile(0.05):.4f} | {100 * wrong:.2f}% |"
            )
    yield "table", "\n".join(lines)
    at_20 = df[df.steps == 20]
    for mode in ("cec", "local"):
        yield f"{mode}_wrong", f"{100 * (at_20[f'{mode}_W_hi_sign'] < 0).mean():.1f}%"
        yield f"{mode}_error", f"{100 * at_20[f'{mode}_rel_error'].median():.1f}%"
        yield f"{mode}_error_95", f"{100 * at_20[f'{mode}_rel_error'].quantile(0.95):.0f}%"
    for regime in ("left", "right"):
        share = (at_20.local_W_hi_sign[at_20.regime_f == regime] < 0).mean()
        yield f"local_wrong_{regime}", f"{100 * share:.1f}%"


def forget_bias() -> Iterator[tuple[str, str]]:
    df = rows("forget_bias", "b_f", "steps", "default_normal_std", "vanished", "log10_forget", "log10_dC0")
    for b_f in (1, 4, 6):
        for std in (0.1, 1.0):
            some = df[(df.b_f == b_f) & (df.steps == 100) & (abs(df.default_normal_std - std) < 1e-3)]
            yield f"vanished_{b_f}_{std:g}", percent(some.vanished.mean())
            yield f"dC0_{b_f}_{std:g}", f"{some.log10_dC0.median():.1f}"
    for b_f in (0, 1):
        some = df[(df.b_f == b_f) & (df.steps == 100) & (abs(df.default_normal_std - 0.1) < 1e-3)]
        yield f"factor_{b_f}", f"{10 ** (some.log10_forget.median() / 100):.3f}"
    some = df[(df.b_f == 0) & (df.steps == 100) & (df.default_normal_std == 1)]
    yield "factor_wide", f"{10 ** (some.log10_forget.median() / 100):.3f}"


def chrono() -> Iterator[tuple[str, str]]:
    df = rows("chrono", "b_f_chrono_t_max", "default_normal_std", "memory_time")
    df = df[df.b_f_chrono_t_max == 1000]
    for number, (_, some) in enumerate(df.groupby("default_normal_std")):
        yield f"memory_{number}", f"{some.memory_time.median():.0f}"
    yield "longer", percent((df.memory_time[df.default_normal_std == 1] > 1000).mean())


def uniform_gate() -> Iterator[tuple[str, str]]:
    df = rows("uniform_gate", "steps", "default_normal_std", "log10_forget")
    df["kept"] = 10 ** df.log10_forget.astype(float) * (df.steps + 1)
    for (std, steps), some in df.groupby(["default_normal_std", "steps"]):
        yield f"kept_{'zero' if std < 1e-6 else 'wide'}_{steps}", f"{some.kept.mean():.2f}"
    narrow = df[(df.default_normal_std < 1e-6) & (df.steps == 1000)]
    yield "above", percent((narrow.log10_forget > -1).mean())


def horizon() -> Iterator[tuple[str, str]]:
    df = rows("horizon", "b_f", "b_i", "steps", "vanished", "log10_forget", "log10_dC0", "log10_dC_lag_5")
    for b_f, b_i, steps in ((0, 0, 100), (8, 0, 100), (8, 0, 1000), (8, -8, 1000), (8, -8, 10_000)):
        some = df[(df.b_f == b_f) & (df.b_i == b_i) & (df.steps == steps)]
        yield f"vanished_{b_f}_{-b_i}_{steps}", percent(some.vanished.mean())
        yield f"kept_{b_f}_{-b_i}_{steps}", f"{10 ** some.log10_forget.median():.2g}"
    slow = df[(df.b_f == 0) & (df.b_i == 0) & (df.steps == 10_000)]
    yield "decades", f"{-slow.log10_dC0.median() / 10_000:.3f}"
    yield "deepest", f"{slow.log10_dC0.median():.0f}"


def chaos() -> Iterator[tuple[str, str]]:
    df = rows("chaos", "default_normal_std", "steps", "draw", "lyapunov_1")
    wide = df.pivot(index=["default_normal_std", "draw"], columns="steps", values="lyapunov_1")
    before, after = 1000 * wide[1000], 2000 * wide[2000]  # ln of the growth over T and over 2 T
    grew, more = before > 0, after - before > math.log(10)
    heads = "s, grew over 1000 steps, and 10 times more over the next 1000, exponent above 0.05 at T = 2000"
    lines = [head(heads.split(", "))]
    for std, some in pd.DataFrame({"grew": grew, "more": grew & more, "fast": wide[2000] > 0.05}).groupby(level=0):
        shares = (f"{100 * some[name].mean():.2f}%" for name in ("grew", "more", "fast"))
        lines.append(f"| {std:g} | {' | '.join(shares)} |")
    yield "table", "\n".join(lines)
    widest = wide.index.get_level_values(0) == df.default_normal_std.max()
    yield "grew", percent(grew[widest].mean())
    yield "sustained", percent((grew & more)[widest].mean())
    df = rows("attractor", "steps", "lyapunov_1", "lyapunov_2")
    longest = df[df.steps == df.steps.max()]
    first, second = longest.lyapunov_1.median(), longest.lyapunov_2.median()
    yield "first", f"{first:.3f}"
    yield "second", f"{second:.2f}"
    yield "spread", f"{longest.lyapunov_1.std():.3f}"
    yield "factor", f"{math.exp(first):.2f}"
    yield "dimension", f"{1 + first / abs(second):.2f}"
    yield "starts", f"{len(longest):,}"


def coupled_gates() -> Iterator[tuple[str, str]]:
    points = fastlstm.read(RESULTS / "coupled_gates").points().set_index("point")
    df = rows("coupled_gates", "point", "vanished")
    vanished = df.vanished.groupby(df.point.astype(int)).mean()
    tied = points[["W_hi", "W_xi", "b_i"]].apply(lambda column: column.astype(str).str.startswith("tied"))
    for b_f in (1, 4, 8):
        for name, which in (("free", [False] * 3), ("tied", [True] * 3), ("bias", [False, False, True])):
            at = points.index[(points.b_f == b_f) & (tied == which).all(axis=1)]
            yield f"{name}_{b_f}", f"{100 * vanished[at].item():.2f}%"


def cell_path_cosine() -> Iterator[tuple[str, str]]:
    df = rows("cell_path_cosine", "default_normal_std", "cec_cosine")
    lines = [head(["weights N(0, s), s", "cosine: median", "5%", "below 0.9", "below 0"])]
    for std, some in df.groupby("default_normal_std"):
        cosine = some.cec_cosine
        shares = (f"{100 * (cosine < bound).mean():.2f}%" for bound in (0.9, 0))
        lines.append(f"| {std:g} | {cosine.median():.4f} | {cosine.quantile(0.05):.4f} | {' | '.join(shares)} |")
    yield "table", "\n".join(lines)


def curse_of_memory() -> Iterator[tuple[str, str]]:
    df = rows("curse_of_memory", "b_f", "input_phi", "dW_y", "db_f", "log10_dC_max", "log10_dC0")
    heads = "l, correlation r of the input, spread of h_T, spread of dh_T/dl, the second over the first, closed form"
    lines = [head(heads.split(", "))]
    for (b_f, r), some in df.groupby(["b_f", "input_phi"]):
        memory = 1 / (1 + math.exp(-b_f))
        h = 4 * some.dW_y.abs().quantile(0.682689) / 1e-5
        by_memory = 4 * some.db_f.abs().quantile(0.682689) / 1e-5 / (memory * (1 - memory))
        E_h = (1 + r * memory) / ((1 - r * memory) * (1 - memory**2))
        E_by = (1 + memory**2) * (1 - (memory * r) ** 2) + 2 * (1 - memory**2) * memory * r
        E_by /= (1 - memory**2) ** 3 * (1 - memory * r) ** 2
        ratios = f"{by_memory / h:.3g} | {math.sqrt(E_by / E_h):.3g}"
        lines.append(f"| {memory:.3f} | {r:g} | {h:.3g} | {by_memory:.3g} | {ratios} |")
    yield "table", "\n".join(lines)
    yield "dC_max", f"{10 ** df.log10_dC_max.max():.2f}"


def input_bias() -> Iterator[tuple[str, str]]:
    df = rows("input_bias", "preset", "steps", "b_i", "vanished")
    df = df[df.steps == 100]
    lines = [head(["vanished over 100 steps", *(f"b_i = {b_i:g}" for b_i in sorted(df.b_i.unique()))])]
    for preset, some in df.groupby("preset", observed=True):
        shares = (f"{100 * vanished:.1f}%" for vanished in some.vanished.groupby(some.b_i).mean())
        lines.append(f"| biases of `{preset}` | {' | '.join(shares)} |")
    yield "table", "\n".join(lines)


def presets() -> Iterator[tuple[str, str]]:
    for name in ("presets", "sunspots"):
        df = rows(name, "preset", "vanished", "memory_time", "f_mean", "log10_dC_lag_10", "log10_dC_lag_1")
        for preset, some in df.groupby("preset", observed=True):
            yield f"{name}_{preset}_vanished", percent(some.vanished.mean())
            yield f"{name}_{preset}_memory", f"{some.memory_time.median():.1f}"
            yield f"{name}_{preset}_ten", f"{10 ** (some.log10_dC_lag_10 - some.log10_dC_lag_1).median():.2g}"


def point_names(run: fastlstm.Run) -> dict[int, str]:
    """Each point of a run by its values on the axes, such as `steps = 20, b_f = 4`."""
    points = run.points()
    axes = [axis for axis in points.columns if axis not in ("point", "draws") and points[axis].nunique() > 1]
    texts = points[axes].map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
    rows_of_texts = zip(points.point, texts.to_dict("records"), strict=True)
    return {point: ", ".join(f"{axis} = {text}" for axis, text in row.items()) for point, row in rows_of_texts}


def claims_table(name: str) -> str:
    """What a run says about its claims: of each the point that decides."""
    run = fastlstm.read(RESULTS / name)
    judged, names = run.claims(), point_names(run)
    lines = [head(["verdict", "claim", "point that decides", "estimate", "95% interval", "predicted", "points alike"])]
    for _, points in judged.groupby("claim"):
        row = points[points.decides].iloc[0]
        alike = (points.verdict == row.verdict).sum()
        predicts = predicted_text(row.predicts, row.predicted)
        if row.tolerance:
            predicts += f" ± {row.tolerance:.3g}"
        cells = [
            f"**{row.claim_verdict}**" if row.claim_verdict != "holds" else "holds",
            row.text.replace("|", "\\|").replace("_", "\\_"),
            names[int(row.point)].replace("_", "\\_") or "the only one",
            f"{row.estimate:.4g}",
            f"{row.low:.4g} to {row.high:.4g}",
            predicts.replace("_", "\\_"),
            f"{alike} of {len(points)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def everything() -> Iterator[tuple[str, str]]:
    verdicts: list[str] = []
    draws = 0
    for name in SIMULATIONS:
        run = fastlstm.read(RESULTS / name)
        verdicts += list(run.claims().groupby("claim").claim_verdict.first().astype(str))
        draws += run.status().draws
    for verdict in ("holds", "fails", "undecided"):
        yield f"claims_{verdict}", str(verdicts.count(verdict))
    yield "claims", str(len(verdicts))
    yield "draws", f"{draws:,}"
    yield "simulations", str(len(SIMULATIONS))


def gates() -> Iterator[tuple[str, str]]:
    sizes = {name: f"log10_{name}" for name in ("df", "di", "do", "dg")}
    df = rows("gates", "b_f", "b_i", "b_o", *sizes.values(), "tau_slope", "local_W_hi_sign")
    lines = [head(["b_f", "b_i", *sizes, "slope of tanh at C", "wrong sign of one-step dW_hi"])]
    for (b_f, b_i), some in df[df.b_o == 0].groupby(["b_f", "b_i"]):
        medians = [f"{some[column].median():.2f}" for column in sizes.values()]
        wrong = percent((some.local_W_hi_sign < 0).mean())
        lines.append(f"| {b_f:g} | {b_i:g} | {' | '.join(medians)} | {some.tau_slope.median():.2f} | {wrong} |")
    yield "table", "\n".join(lines)
    full = df[(df.b_f == 4) & (df.b_i == 4)]
    largest = full[list(sizes.values())].idxmax(axis=1)
    yield "do_largest", percent((largest == "log10_do").mean())
    for name, b_o in (("shut", -4), ("open", 4)):
        for gate in ("df", "do"):
            yield f"{gate}_{name}", f"{df[sizes[gate]][df.b_o == b_o].median():.2f}"
    for b_f in (-4, 4):
        yield f"wrong_{b_f}".replace("-", "minus_"), percent((df.local_W_hi_sign[df.b_f == b_f] < 0).mean())


SECTIONS = {
    "all": everything, "atlas": atlas, "carousel": carousel, "counterexample": counterexample, "heavy_tail": heavy_tail,
    "truncation": truncation, "forget_bias": forget_bias, "chrono": chrono, "uniform_gate": uniform_gate,
    "horizon": horizon, "chaos": chaos, "presets": presets, "coupled_gates": coupled_gates,
    "cell_path_cosine": cell_path_cosine, "curse_of_memory": curse_of_memory, "input_bias": input_bias,
    "gates": gates,
}  # fmt: skip


def wrapped(paragraph: str) -> str:
    """Prose in lines of even length; tables, headings, pictures and what is marked up as a block stay."""
    if paragraph.startswith(("#", "|", "![", "<")):
        return paragraph
    return textwrap.fill(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def page() -> str:
    numbers = {}
    for section, measure in SECTIONS.items():
        numbers |= {f"{section}.{name}": text for name, text in measure()}
    for name in SIMULATIONS:
        numbers |= {f"{name}.title": fastlstm.read(RESULTS / name).spec().title, f"{name}.claims": claims_table(name)}
    words = (ROOT / "docs" / "findings.in").read_text()
    whole = re.sub(r"<(\w+\.\w+)>", lambda found: numbers[found[1]], words)
    return "\n\n".join(map(wrapped, re.split(r"\n\n+", whole.strip()))) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
