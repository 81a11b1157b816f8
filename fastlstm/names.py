"""The names of the drawn values: the fourteen parameters, in the order of every table and array, and the state."""

PARAMETERS = (
    "W_hf", "W_xf", "b_f",
    "W_hi", "W_xi", "b_i",
    "W_ho", "W_xo", "b_o",
    "W_hc", "W_xc", "b_c",
    "W_y", "b_y",
)  # fmt: skip

STATE = ("h0", "C0")
