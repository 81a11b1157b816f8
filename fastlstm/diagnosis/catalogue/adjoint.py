"""Mistakes on the way back through one step, B1 to B8, and in what it takes from the next one."""

from fastlstm.diagnosis.mistake import Mistake, each
from fastlstm.oracles.naive import GATES

NOTEBOOK = "nicklashansen/rnn_lstm_from_scratch#1"

OUTPUT = (
    Mistake("B1.none", "the slope y_t (1 - y_t) is missing", {"slope_y": "1"}),
    Mistake("B1.twice", "the slope y_t (1 - y_t) is there twice", {"slope_y": "(y[t] * (1 - y[t]))**2"}),
    Mistake(
        "B1.act", "the slope of the sigmoid is taken at y_t, not at z^y_t",
        {"slope_y": "sigmoid(y[t]) * (1 - sigmoid(y[t]))"}, "yizt/numpy_neural_network#3",
    ),
    Mistake("B1.tanh", "the output has the slope of tanh", {"slope_y": "1 - y[t]**2"}),
    Mistake("B1.last", "dy_t counts at the last step only", {"delta": "({}) * (t == T)"}),
)  # fmt: skip

HIDDEN = (
    Mistake(
        "B2.none", "nothing comes back through h_{t+1}: the carry of dh_t is lost (the truncation of 1997, mode cec)",
        {"back": "zero"},
    ),
    *(
        Mistake(
            f"B2.{k}", f"the term W_h{k} dz^{k}_{{t+1}} is missing in dh_t",
            {"back": (f"W_h{k} * dz_{k}[t+1]", "0")},
        )
        for k in GATES
    ),
    Mistake("B2.Wy", "W_y is missing in dh_t", {"out": "delta[t]"}),
    Mistake(
        "B2.noslope", "the carry of dh_t takes the gates' gradients without their slopes",
        {"back": " + ".join(f"W_h{k} * d{a}[t+1]" for k, a in GATES.items())},
    ),
    Mistake(
        "B2.over", "dh_t is overwritten by its carry: only the last output counts",
        {"dh": "out[t] if t == T else back[t]"},
        "hanbt/learn_dl (where it is meant)",
    ),
    Mistake("B2.Wx", "W_x stands where W_h belongs in the carry of dh_t", {"back": ("W_h", "W_x")}),
    Mistake(
        "B2.swap", "W_hf and W_hi stand in each other's place in the carry of dh_t",
        {"back": "W_hi * dz_f[t+1] + W_hf * dz_i[t+1] + W_ho * dz_o[t+1] + W_hc * dz_c[t+1]"},
    ),
    Mistake("B2.twice", "the carry of dh_t is counted twice", {"back": "2 * ({})"}),
)  # fmt: skip

CELL = (
    Mistake(
        "B3.f_t", "f_t stands where f_{t+1} belongs in dC_t", {"carry": ("f[t+1]", "f[t]")},
        "the worked solution",
    ),
    Mistake("B3.none", "the carry f_{t+1} dC_{t+1} is lost or overwritten", {"carry": "zero"}, "apache/mxnet#4057"),
    Mistake("B3.nof", "f_{t+1} is missing before dC_{t+1}", {"carry": "dC[t+1]"}),
    Mistake("B3.i", "i_{t+1} stands where f_{t+1} belongs in dC_t", {"carry": ("f[t+1]", "i[t+1]")}),
    Mistake(
        "B3.over", "dC_t is overwritten by its carry: h_t counts at T only",
        {"dC": "through[t] if t == T else carry[t]"},
    ),
    Mistake(
        "B3.product", "the two terms of dC_t are multiplied, not added",
        {"dC": "through[t] if t == T else through[t] * carry[t]"},
    ),
    Mistake("B3.h", "1 - h^2 stands where 1 - tanh^2 C belongs in dC_t", {"slope_C": "1 - h[t]**2"}),
    Mistake("B3.C", "1 - C^2 stands where 1 - tanh^2 C belongs in dC_t", {"slope_C": "1 - C[t]**2"}),
    Mistake(
        "B3.tt", "the slope of tanh is taken at tanh C, not at C, in dC_t",
        {"slope_C": ("tanh(C[t])", "tanh(tanh(C[t]))")},
        NOTEBOOK,
    ),
    Mistake("B3.slope", "the slope 1 - tanh^2 C is missing in dC_t", {"slope_C": "1"}),
    Mistake("B3.plus", "1 + tanh^2 C stands where 1 - tanh^2 C belongs in dC_t", {"slope_C": ("1 -", "1 +")}),
    Mistake("B3.1-tanh", "1 - tanh C stands where 1 - tanh^2 C belongs in dC_t", {"slope_C": ("**2", "")}),
    Mistake("B3.g", "1 - g^2 stands where 1 - tanh^2 C belongs in dC_t", {"slope_C": "1 - g[t]**2"}),
    Mistake(
        "B3.old", "C_{t-1} stands where C_t belongs in the slope of dC_t",
        {"slope_C": ("C[t]", "C[t-1]")}, NOTEBOOK,
    ),
    Mistake("B3.noo", "o_t is missing in dC_t", {"through": (" * o[t]", "")}),
    Mistake("B3.so", "o_t (1 - o_t) stands where o_t belongs in dC_t", {"through": ("o[t]", "(o[t] * (1 - o[t]))")}),
    Mistake("B3.tanhC", "tanh C stands where its slope belongs in dC_t", {"slope_C": "tanh(C[t])"}),
)  # fmt: skip

GATE_VALUES = (
    Mistake("B4.C", "C_t stands where tanh C_t belongs in do_t", {"do": "dh[t] * C[t]"}),
    Mistake("B4.h", "h_t stands where tanh C_t belongs in do_t", {"do": "dh[t] * h[t]"}),
    Mistake("B4.dC", "dC_t stands where dh_t belongs in do_t", {"do": ("dh[t]", "dC[t]")}),
    Mistake("B4.old", "C_{t-1} stands where C_t belongs in do_t", {"do": ("C[t]", "C[t-1]")}, NOTEBOOK),
    Mistake("B4.g", "g_t stands where tanh C_t belongs in do_t", {"do": "dh[t] * g[t]"}),
    Mistake(
        "B4.out", "do_t takes what comes from the output only, W_y delta_t, without the carry",
        {"do": ("dh[t]", "out[t]")},
    ),
    Mistake("B5.C_t", "C_t stands where C_{t-1} belongs in df_t", {"df": ("C[t-1]", "C[t]")}),
    Mistake("B5.h", "h_{t-1} stands where C_{t-1} belongs in df_t", {"df": ("C[t-1]", "h[t-1]")}),
    Mistake(
        "B5.2", "C_{t-2} stands where C_{t-1} belongs in df_t (the last C at t = 1): a list is one place off",
        {"df": ("C[t-1]", "(C[t-2] if t > 1 else C[T])")}, NOTEBOOK,
    ),
    Mistake("B5.f", "f_t stands where C_{t-1} belongs in df_t", {"df": ("C[t-1]", "f[t]")}),
    Mistake("B6.i", "i_t stands where g_t belongs in di_t", {"di": ("g[t]", "i[t]")}),
    Mistake("B6.C", "C_{t-1} stands where g_t belongs in di_t", {"di": ("g[t]", "C[t-1]")}),
    Mistake("B7.g", "g_t stands where i_t belongs in dg_t", {"dg": ("i[t]", "g[t]")}),
    Mistake(
        "B6.swap", "i_t and g_t stand in each other's place in di_t and dg_t",
        {"di": "dC[t] * i[t]", "dg": "dC[t] * g[t]"},
    ),
    Mistake("B5.dh", "dh_t stands where dC_t belongs in df_t, di_t and dg_t", each("d{a}", ("dC[t]", "dh[t]"), "fic")),
    Mistake(
        "B5.through", "df_t, di_t and dg_t take dC_t without its carry", each("d{a}", ("dC[t]", "through[t]"), "fic"),
    ),
    Mistake(
        "B5.late", "dC_t is multiplied by f_t before df_t, di_t and dg_t are made of it",
        each("d{a}", ("dC[t]", "f[t] * dC[t]"), "fic"),
    ),
)  # fmt: skip


def slope_mistakes(k: str) -> tuple[Mistake, ...]:
    """What goes wrong with the slope of one gate."""
    a, line = f"{GATES[k]}[t]", f"slope_{k}"
    if k == "c":
        return (
            Mistake("B8.cnone", "the slope 1 - g^2 is missing in dz^c", {line: "1"}),
            Mistake("B8.cact", "the slope of the candidate is taken at g, not at z^c", {line: "1 - tanh(g[t])**2"}),
            Mistake("B8.ctwice", "the slope 1 - g^2 is there twice in dz^c", {line: "(1 - g[t]**2)**2"}),
            Mistake("B8.ckind", "the candidate has the slope of a sigmoid", {line: "g[t] * (1 - g[t])"}),
            Mistake("B8.c1-", "1 - g stands where 1 - g^2 belongs in dz^c", {line: "1 - g[t]"}),
            Mistake("B8.cC", "1 - C^2 stands where 1 - g^2 belongs in dz^c", {line: "1 - C[t]**2"}),
            Mistake("B8.ctC", "1 - tanh^2 C stands where 1 - g^2 belongs in dz^c", {line: "1 - tanh(C[t])**2"}),
        )
    right = f"{k} (1 - {k}) belongs in dz^{k}"
    return (
        Mistake(f"B8.{k}none", f"the slope {k} (1 - {k}) is missing in dz^{k}", {line: "1"}),
        Mistake(
            f"B8.{k}act", f"the slope of gate {k} is taken at {k}, not at z^{k}",
            {line: f"sigmoid({a}) * (1 - sigmoid({a}))"},
        ),
        Mistake(f"B8.{k}twice", f"the slope {k} (1 - {k}) is there twice in dz^{k}", {line: f"({a} * (1 - {a}))**2"}),
        Mistake(f"B8.{k}kind", f"gate {k} has the slope of tanh", {line: f"1 - {a}**2"}),
        Mistake(
            f"B8.{k}s", f"the sigmoid of {k} stands where {right}: the flag for the derivative was not passed",
            {line: f"sigmoid({a})"}, NOTEBOOK if k == "f" else "",
        ),
        Mistake(f"B8.{k}1-", f"1 - {k} stands where {right}", {line: f"1 - {a}"}),
        Mistake(f"B8.{k}val", f"{k} stands where {right}", {line: a}),
    )  # fmt: skip


SLOPES = (
    *(mistake for k in GATES for mistake in slope_mistakes(k)),
    Mistake("B8.none", "the slopes of all gates are missing", each("slope_{k}", "1")),
    Mistake(
        "B8.act", "the slopes of all gates are taken at their values, not at z",
        each("slope_{k}", "sigmoid({k}[t]) * (1 - sigmoid({k}[t]))", "fio") | {"slope_c": "1 - tanh(g[t])**2"},
        NOTEBOOK,
    ),
)  # fmt: skip

MISTAKES = (*OUTPUT, *HIDDEN, *CELL, *GATE_VALUES, *SLOPES)
