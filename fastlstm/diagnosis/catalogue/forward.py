"""Mistakes in the forward pass, F1 to F7. The backward pass is as in the book unless a sentence says otherwise."""

from fastlstm.diagnosis.mistake import Mistake, each

MISTAKES = (
    Mistake(
        "F1.h0", "the initial h is ignored: h_0 counts as 0",
        each("z_{k}", ("h[t-1]", "(h[t-1] * (t > 1))")) | each("dW_h{k}", ("h[t-1]", "(h[t-1] * (t > 1))")),
    ),
    Mistake(
        "F1.x", "x_{t-1} stands where x_t belongs, in the gates and in dW_x",
        each("z_{k}", ("x[t]", "x[t-1]")) | each("dW_x{k}", ("x[t]", "x[t-1]")),
    ),
    Mistake(
        "F1.bias2", "every bias is added twice", each("z_{k}", ("b_{k}", "2 * b_{k}")),
        "lisa-lab/DeepLearningTutorials#81",
    ),
    Mistake("F1.bo", "b_o stands in all three gates", each("z_{k}", ("b_{k}", "b_o"), "fi"), "ddbourgin/numpy-ml#42"),
    Mistake("F2.i=s(f)", "i is the sigmoid of f_t, not of its own z^i_t", {"i": "sigmoid(f[t])"}),
    Mistake("F2.i=f", "i is made of z^f_t, not of z^i_t", {"i": "sigmoid(z_f[t])"}),
    Mistake("F2.clip", "the gates are clipped to [1e-7, 1 - 1e-7]", each("{k}", "clip({}, 1e-7, 1 - 1e-7)", "fio")),
    Mistake("F2.otanh", "the output gate is a tanh, with the slope of a sigmoid", {"o": "tanh(z_o[t])"}),
    Mistake("F3.sigmoid", "the candidate is a sigmoid, with the slope of tanh", {"g": "sigmoid(z_c[t])"}),
    Mistake(
        "F3.sigmoid*", "the candidate is a sigmoid, with the slope of a sigmoid",
        {"g": "sigmoid(z_c[t])", "slope_c": "g[t] * (1 - g[t])"},
    ),
    Mistake(
        "F4.swap", "f and i stand in each other's place in the cell; the gradients are the book's",
        {"C": "i[t] * C[t-1] + f[t] * g[t]"}, "NX-AI/xlstm#98",
    ),
    Mistake(
        "F4.fg", "f_t stands where i_t belongs in the cell; the gradients are the book's", {"C": ("i[t]", "f[t]")},
        "ARM-software/CMSIS-NN#181",
    ),
    Mistake(
        "F4.plus", "i_t + g_t stands where i_t g_t belongs in the cell; the gradients are the book's",
        {"C": ("i[t] * g[t]", "i[t] + g[t]")}, "MartinuzziFrancesco/torchrecurrent#22",
    ),
    Mistake(
        "F4.1-f", "1 - f_t stands where i_t belongs in the cell; the gradients are the book's",
        {"C": ("i[t]", "(1 - f[t])")}, "glample/tagger#25 (where it is meant)",
    ),
    Mistake(
        "F4.nof", "f_t is missing in the cell; the gradients are the book's", {"C": ("f[t] * C[t-1]", "C[t-1]")},
    ),
    Mistake(
        "F4.C0", "the initial C is ignored: C_0 counts as 0",
        {"C": ("C[t-1]", "(C[t-1] * (t > 1))"), "df": ("C[t-1]", "(C[t-1] * (t > 1))")},
    ),
    Mistake(
        "F5.C", "h_t = o_t C_t, without the tanh; the gradients are the book's", {"h": "o[t] * C[t]"},
        "nicodjimenez/lstm#7",
    ),
    Mistake(
        "F5.C*", "h_t = o_t C_t, without the tanh, and the gradients are those of that",
        {"h": "o[t] * C[t]", "do": "dh[t] * C[t]", "slope_C": "1"}, "nicodjimenez/lstm#42",
    ),
    Mistake(
        "F5.old", "h_t = o_t tanh(C_{t-1}), made of the cell before its update; the gradients are the book's",
        {"h": "o[t] * tanh(C[t-1])"}, "borelien/entailment-neural-attention-lstm-tf#3",
    ),
    Mistake(
        "F7.linear", "the output has no sigmoid, y_t = z^y_t, and the gradients are those of that",
        {"y": "z_y[t]", "slope_y": "1"},
    ),
)  # fmt: skip
