"""forward and gradients on arrays: against the twin, central differences, and themselves in other shapes."""

import numpy as np
import pytest

import fastlstm
from fastlstm.oracles import naive
from fastlstm.oracles.naive import NAMES

DTYPES = ("float64", "float32")
MODES = ("full", "cec", "local")
COLUMNS = ("f", "i", "o", "g", "C", "h", "y")
GATE_BIASES = [NAMES.index(f"b_{gate}") for gate in "fioc"]


def example(seed, draws, steps, dtype="float64", *, saturated=False):
    """params, x, dy, h0, C0 of some draws; saturated gates have biases of 15 to 30 of either sign."""
    random = np.random.default_rng([seed, draws, steps])
    params = random.standard_normal((draws, 14))
    if saturated:
        sign = random.choice([-1, 1], (draws, 4))
        params[:, GATE_BIASES] = sign * random.uniform(15, 30, (draws, 4))
    x, dy = random.standard_normal((2, draws, steps))
    h0, C0 = random.uniform(-1, 1, draws), random.standard_normal(draws)
    return tuple(values.astype(dtype) for values in (params, x, dy, h0, C0))


def extended(*arrays):
    """The same numbers in the widest type there is, for the twin."""
    return tuple(array.astype(np.longdouble) for array in arrays)


def errors(actual, true):
    """For each draw the largest error relative to the largest component; below the normal range it is none."""
    tiny = np.finfo(actual.dtype).smallest_normal
    actual, true = (values.astype(np.longdouble).reshape(len(values), -1) for values in (actual, true))
    assert actual.shape == true.shape
    size, gap = np.abs(true).max(axis=1), np.abs(actual - true).max(axis=1)
    return np.where(gap <= tiny, 0, gap / np.where(size == 0, tiny, size)).astype(float)


def assert_rounding(error, dtype):
    """Errors of draws that are a few roundings of `dtype`, but for some where terms cancel."""
    in_roundings = error / np.finfo(dtype).eps
    assert in_roundings.max() < 1e5
    if len(error) >= 15:
        assert np.median(in_roundings) < 30
    if len(error) >= 1000:
        assert np.quantile(in_roundings, 0.99) < 500


def same_bits(one, other):
    """Two traces, or two gradients, equal in every bit; NaN equals NaN."""
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in vars(one))


def taken(result, rows):
    """Some draws of a trace or of gradients."""
    return type(result)(**{name: array[rows] for name, array in vars(result).items()})


# Against the twin

sizes = pytest.mark.parametrize("draws", [1, 15, 16, 17, 1000])
lengths = pytest.mark.parametrize("steps", [1, 2, 33])
dtypes = pytest.mark.parametrize("dtype", DTYPES)
gates = pytest.mark.parametrize("saturated", [False, True], ids=["open", "saturated"])


@sizes
@lengths
@dtypes
@gates
def test_trace_is_the_twins(draws, steps, dtype, saturated):
    params, x, _, h0, C0 = example(1, draws, steps, dtype, saturated=saturated)
    actual = fastlstm.forward(params, x, h0=h0, C0=C0)
    true = naive.forward(*extended(params, x, h0, C0))
    for name in COLUMNS:
        column, true_column = getattr(actual, name), getattr(true, name)
        assert column.dtype == dtype
        assert column.shape == (draws, steps)
        if name in "fioy":  # a gate is right in every digit, however near to 0
            error = np.abs(column / true_column - 1).max(axis=1).astype(float)
        else:
            error = errors(column, true_column)
        assert_rounding(error, dtype)


@sizes
@lengths
@dtypes
@gates
@pytest.mark.parametrize("mode", MODES)
def test_gradients_are_the_twins(draws, steps, dtype, saturated, mode):
    params, x, dy, h0, C0 = example(1, draws, steps, dtype, saturated=saturated)
    actual = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode=mode)
    true = naive.gradients(*extended(params, x, dy, h0, C0), mode)
    for name in ("params", "x", "h0", "C0"):
        assert getattr(actual, name).dtype == dtype
        assert_rounding(errors(getattr(actual, name), getattr(true, name)), dtype)
    for first in range(0, 12, 3):  # each gate by itself, so that a shut one hides behind no open one
        of_gate = slice(first, first + 3)
        assert_rounding(errors(actual.params[:, of_gate], true.params[:, of_gate]), dtype)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("steps", "draws"), [(1, 10_000), (20, 10_000), (200, 2_000)])
def test_gradients_keep_their_error_bounds_over_the_whole_cube_of_weights(mode, steps, draws):
    random = np.random.default_rng([2, steps])
    params = random.uniform(-8, 8, (draws, 14))
    x, dy = random.standard_normal((2, draws, steps))
    error = errors(
        fastlstm.gradients(params, x, dy, mode=mode).params,
        naive.gradients(*extended(params, x, dy), mode=mode).params,
    )
    assert (np.quantile(error, [0.5, 0.9, 0.99]) < [5e-15, 1e-13, 5e-12]).all()
    single = [values.astype(np.float32) for values in (params, x, dy)]
    error = errors(
        fastlstm.gradients(*single, mode=mode).params,
        naive.gradients(*(values.astype(np.float64) for values in single), mode=mode).params,
    )
    assert (np.quantile(error, [0.5, 0.9]) < [1e-6, 1e-4]).all()


@pytest.mark.parametrize(("mode", "steps"), [("full", 33_333), ("cec", 17_000)])
def test_gradients_of_sequences_longer_than_any_working_memory_are_the_twins(mode, steps):
    params, x, dy, h0, C0 = example(3, 9, steps)
    params[:, GATE_BIASES[0]] += 4  # memory that reaches across any seam
    actual = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode=mode)
    true = naive.gradients(params, x, dy, h0, C0, mode)
    for name in ("params", "x", "h0", "C0"):
        assert errors(getattr(actual, name), getattr(true, name)).max() < 1e-10


def test_truncations_send_nothing_to_the_initial_state_but_through_the_cell():
    params, x, dy, h0, C0 = example(4, 20, 5)
    cec, local = (fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode=mode) for mode in ("cec", "local"))
    assert (cec.h0 == 0).all()
    assert (cec.C0 != 0).all()
    assert (local.h0 == 0).all()
    assert (local.C0 == 0).all()


def test_gradient_of_a_shut_gate_is_small_and_not_zero():
    params, x, dy, h0, C0 = example(5, 50, 8)
    params[:, GATE_BIASES[:3]] = [300, -300, 300]
    params[:, [0, 1, 3, 4, 6, 7]] = 0.1
    grads = fastlstm.gradients(params, x, dy, h0=h0, C0=C0)
    for gate in "fio":
        size = np.abs(grads[f"b_{gate}"])
        assert (size > 0).all()
        assert (size < 1e-120).all()


# Against differences of the loss


def test_gradients_are_the_slopes_of_the_loss():
    params, x, dy, h0, C0 = example(6, 5, 7)
    grads = fastlstm.gradients(params, x, dy, h0=h0, C0=C0)
    step = 1e-5
    for draw in range(5):
        at = np.concatenate([params[draw], x[draw], h0[draw : draw + 1], C0[draw : draw + 1]])
        moved = at + step * np.concatenate([np.eye(len(at)), -np.eye(len(at))])
        y = fastlstm.forward(moved[:, :14], moved[:, 14:-2], h0=moved[:, -2], C0=moved[:, -1]).y
        up, down = np.split((dy[draw] * y).sum(axis=1), 2)
        actual = np.concatenate([grads.params[draw], grads.x[draw], [grads.h0[draw], grads.C0[draw]]])
        np.testing.assert_allclose(actual, (up - down) / (2 * step), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_are_linear_in_dy_whatever_its_size(mode):
    params, x, dy, h0, C0 = example(7, 40, 50)
    usual = fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode=mode)
    for scale in (2.0**600, 2.0**-600):
        scaled = fastlstm.gradients(params, x, dy * scale, h0=h0, C0=C0, mode=mode)
        for name in ("params", "x", "h0", "C0"):
            np.testing.assert_allclose(getattr(scaled, name) / scale, getattr(usual, name), rtol=1e-12, atol=1e-300)


# Bits: batches, places, threads, strides


@dtypes
@pytest.mark.parametrize("call", ["forward", *MODES])
def test_a_draw_has_the_same_bits_alone_in_any_batch_and_at_any_place(dtype, call):
    def run(rows):
        p, sequence, slope, h, C = (values[rows] for values in (params, x, dy, h0, C0))
        if call == "forward":
            return fastlstm.forward(p, sequence, h0=h, C0=C)
        return fastlstm.gradients(p, sequence, slope, h0=h, C0=C, mode=call)

    params, x, dy, h0, C0 = example(8, 100, 9, dtype)
    together = run(slice(None))
    for rows in (slice(1), slice(41, 42), slice(99, 100), slice(3, 20), slice(83, 100), slice(None, None, -1)):
        assert same_bits(run(rows), taken(together, rows))


def test_a_step_at_a_time_gives_the_same_bits_as_all_at_once():
    params, x, _, h, C = example(9, 30, 12)
    together = fastlstm.forward(params, x, h0=h, C0=C)
    for t in range(12):
        now = fastlstm.forward(params, x[:, t : t + 1], h0=h, C0=C)
        h, C = now.h[:, 0], now.C[:, 0]
        assert same_bits(now, taken(together, (slice(None), slice(t, t + 1))))


def test_a_load_that_is_shared_among_threads_has_the_bits_of_its_pieces():
    params, x, dy, h0, C0 = example(10, 2_500, 1_000)
    trace = fastlstm.forward(params, x, h0=h0, C0=C0)
    grads = fastlstm.gradients(params, x, dy, h0=h0, C0=C0)
    for rows in (slice(0, 100), slice(950, 1050), slice(2_400, 2_500)):
        p, sequence, slope, h, C = (values[rows] for values in (params, x, dy, h0, C0))
        assert same_bits(fastlstm.forward(p, sequence, h0=h, C0=C), taken(trace, rows))
        assert same_bits(fastlstm.gradients(p, sequence, slope, h0=h, C0=C), taken(grads, rows))


def time_major(array):
    return np.ascontiguousarray(array.T).T


def reversed_in_memory(array):
    return np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]


def every_third(array):
    wide = np.full((2 * array.shape[0], 3 * array.shape[1]), np.nan, array.dtype)
    wide[::2, ::3] = array
    return wide[::2, ::3]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def not_aligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[:] = array
    assert not memory.flags.aligned
    return memory


def other_byte_order(array):
    return array.astype(array.dtype.newbyteorder())


@dtypes
@pytest.mark.parametrize(
    "layout", [time_major, reversed_in_memory, every_third, read_only, not_aligned, other_byte_order]
)
def test_arrays_may_lie_in_memory_as_they_like(dtype, layout):
    params, x, dy, h0, C0 = example(11, 35, 6, dtype)
    before = [values.copy() for values in (params, x, dy)]
    laid = [layout(values) for values in (params, x, dy)]
    states = {"h0": h0[::-1][::-1], "C0": C0}
    assert same_bits(fastlstm.forward(*laid[:2], **states), fastlstm.forward(params, x, h0=h0, C0=C0))
    assert same_bits(fastlstm.gradients(*laid, **states), fastlstm.gradients(params, x, dy, h0=h0, C0=C0))
    assert all(np.array_equal(values, copy) for values, copy in zip(laid, before, strict=True))


@pytest.mark.parametrize("single", ["params", "x", "dy", "h0", "C0"])
def test_one_draws_value_serves_all_draws(single):
    arguments = dict(zip(("params", "x", "dy", "h0", "C0"), example(12, 20, 4), strict=True))
    arguments[single] = np.broadcast_to(arguments[single][:1], arguments[single].shape)
    explicit = {name: np.ascontiguousarray(values) for name, values in arguments.items()}
    expected = fastlstm.gradients(**explicit)
    assert same_bits(fastlstm.gradients(**arguments), expected)
    assert same_bits(fastlstm.gradients(**arguments | {single: arguments[single][:1]}), expected)
    assert same_bits(fastlstm.gradients(**arguments | {single: arguments[single][0]}), expected)


def test_results_are_new_arrays_that_may_be_written():
    params, x, dy, _, _ = example(13, 3, 4)
    trace, grads = fastlstm.forward(params, x), fastlstm.gradients(params, x, dy)
    for array in (*vars(trace).values(), *vars(grads).values()):
        array[...] = 0
    assert (example(13, 3, 4)[0] == params).all()


# What is taken, and what is refused


def test_a_mapping_of_names_is_the_array_of_its_columns():
    params, x, dy, _, _ = example(14, 20, 3)
    named = {name: params[:, place] for place, name in reversed(list(enumerate(NAMES)))}
    assert same_bits(fastlstm.forward(named, x), fastlstm.forward(params, x))
    grads = fastlstm.gradients(named, x, dy)
    assert same_bits(grads, fastlstm.gradients(params, x, dy))
    for place, name in enumerate(NAMES):
        assert (grads[name] == grads.params[:, place]).all()
    numbers = named | {"b_f": 0.25}
    params[:, 2] = 0.25
    assert same_bits(fastlstm.forward(numbers, x), fastlstm.forward(params, x))


def test_parameters_are_in_the_order_of_the_equations():
    assert fastlstm.PARAMETERS == NAMES


def test_float32_stays_float32_and_everything_else_is_float64():
    params, x, dy, h0, C0 = example(15, 4, 3, "float32")

    def types(*given, **state):
        return {array.dtype.name for array in vars(fastlstm.gradients(*given, **state)).values()}

    assert types(params, x, dy) == {"float32"}
    assert types(params, x, dy.astype(float), h0=h0.astype(float), C0=C0) == {"float32"}
    assert types(params.astype(float), x, dy) == {"float64"}
    assert types(params, x.astype(float), dy) == {"float64"}
    assert types(params, [0.5, 1.0, 2.0], dy) == {"float64"}
    assert types(params.astype(np.float16), x.astype(np.float16), dy) == {"float64"}
    assert types(params.astype(int), x.astype(int), dy.astype(int)) == {"float64"}
    assert types({name: np.float32(1) for name in NAMES}, x, dy) == {"float32"}
    assert fastlstm.forward(params, x).y.dtype == "float32"


def zeros(draws, steps, dtype=np.float64, *, writeable=True):
    """Gradients to be filled."""
    arrays = [np.zeros(shape, dtype) for shape in ((draws, 14), (draws, steps), draws, draws)]
    for array in arrays:
        array.flags.writeable = writeable
    return fastlstm.Gradients(*arrays)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"params": np.zeros((3, 13))}, ["params", "(3, 13)", "(draws, 14)"]),
        ({"params": np.zeros((1, 3, 14))}, ["params", "(1, 3, 14)", "(draws, 14)"]),
        ({"x": np.zeros((4, 5))}, ["(3, 14)", "(4, 5)"]),
        ({"x": np.zeros((3, 5, 1))}, ["x", "(3, 5, 1)", "(draws, steps)"]),
        ({"x": np.zeros((3, 0))}, ["x", "(3, 0)", "steps > 0"]),
        ({"x": 1.0}, ["x", "()", "(draws, steps)"]),
        ({"dy": np.zeros((3, 4))}, ["dy", "(3, 4)", "(3, 5)"]),
        ({"dy": np.zeros((2, 5))}, ["dy", "(2, 5)", "(3, 5)"]),
        ({"h0": np.zeros(2)}, ["h0", "(2,)", "(3, 14)"]),
        ({"C0": np.zeros((3, 1))}, ["C0", "(3, 1)", "(3, 14)"]),
        ({"params": {"b_f": 1.0}}, ["W_hf", "b_y"]),
        ({"params": dict.fromkeys((*NAMES, "b_z"), 0.0)}, ["b_z"]),
        ({"params": dict.fromkeys(NAMES, 0.0) | {"b_f": np.zeros(3), "b_i": np.zeros(2)}}, ["b_f", "(3,)", "(2,)"]),
        ({"params": dict.fromkeys(NAMES, 0.0) | {"b_f": np.zeros((3, 1))}}, ["b_f", "(3, 1)"]),
        ({"mode": "one-step"}, ["one-step", "full", "cec", "local"]),
        ({"steps": True, "inputs": False}, ["steps=True", "inputs"]),
        ({"steps": True, "out": zeros(3, 5)}, ["steps=True", "out"]),
        ({"out": zeros(3, 4)}, ["out.x", "(3, 4)", "(3, 5)"]),
        ({"out": zeros(3, 5), "inputs": False}, ["out.x", "(3, 5)", "(3, 0)"]),
        ({"out": zeros(2, 5)}, ["out.params", "(2, 14)", "(3, 14)"]),
        ({"out": zeros(3, 5, np.float32)}, ["out.params", "float32", "float64"]),
        ({"out": zeros(3, 5, writeable=False)}, ["out.params", "written"]),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(changes, told):
    arguments = {"params": np.zeros((3, 14)), "x": np.zeros((3, 5)), "dy": np.zeros((3, 5))} | changes
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - what it says is what is tested
        fastlstm.gradients(**arguments)
    for part in told:
        assert part in str(refusal.value)


def test_no_draws_give_no_results():
    trace = fastlstm.forward(np.zeros((0, 14)), np.zeros((0, 5)))
    assert all(getattr(trace, name).shape == (0, 5) for name in COLUMNS)
    grads = fastlstm.gradients(np.zeros((0, 14)), np.zeros((0, 5)), np.zeros((0, 5)))
    assert (grads.params.shape, grads.x.shape, grads.h0.shape, grads.C0.shape) == ((0, 14), (0, 5), (0,), (0,))


@dtypes
@pytest.mark.parametrize("where", ["params", "x", "dy", "h0", "C0"])
def test_a_nan_reaches_all_of_its_own_draw_and_no_other(dtype, where):
    arguments = dict(zip(("params", "x", "dy", "h0", "C0"), example(16, 40, 6, dtype), strict=True))
    clean = fastlstm.gradients(**arguments)
    for draw in (0, 7, 8, 39):
        dirty = {name: values.copy() for name, values in arguments.items()}
        dirty[where][(draw, 0) if dirty[where].ndim == 2 else draw] = np.nan
        grads = fastlstm.gradients(**dirty)
        others = np.arange(40) != draw
        assert same_bits(taken(grads, others), taken(clean, others))
        assert np.isnan(grads.h0[draw])
        assert np.isnan(grads.params[draw, :12]).all()


# The counterexample: forget gate open, input gate shut, and the gradient explodes all the same


def counterexample(W_ho):
    values = {"W_hf": 0.5, "W_hi": 0.5, "W_hc": 0.5, "W_ho": W_ho, "W_xo": 1.0, "W_y": 1.0}
    biases = {"b_f": 7.0, "b_i": -7.0, "b_c": 1.4722, "b_o": -7.2}
    return dict.fromkeys(NAMES, 0.0) | values | biases


def recorded(params, steps):
    """x_t = sin(t) / 2 - W_ho h_{t-1} - b_o from h_0 = 0.36 and C_0 = 0.9, one step of `forward` at a time."""
    x, h, C = np.empty(steps), 0.36, 0.9
    for t in range(steps):
        x[t] = np.sin(t) / 2 - params["W_ho"] * h - params["b_o"]
        now = fastlstm.forward(params, x[t : t + 1], h0=h, C0=C)
        h, C = now.h[0, 0], now.C[0, 0]
    return x


def growth(params, x):
    """|dh_T/dh_0|: the gradient of y_T, in units of its own slope, W_y being 1."""
    y = fastlstm.forward(params, x, h0=0.36, C0=0.9).y[0, -1]
    dy = np.zeros(len(x))
    dy[-1] = 1 / (y * (1 - y))
    return abs(fastlstm.gradients(params, x, dy, h0=0.36, C0=0.9).h0[0])


def test_gradient_explodes_through_the_output_gate_with_forget_gate_open_and_input_gate_shut():
    params = counterexample(20.0)
    x = recorded(params, 60)
    trace = fastlstm.forward(params, x, h0=0.36, C0=0.9)
    assert trace.f.min() >= 0.9992
    assert trace.i.max() <= 0.001142
    actual = [growth(params, x[:steps]) for steps in (10, 20, 40, 60)]
    np.testing.assert_allclose(actual, [2.62888e5, 7.04118e10, 5.09657e21, 4.12514e32], rtol=1e-5)


def test_gradient_does_not_explode_with_W_ho_below_four():
    params = counterexample(3.9)
    x = recorded(params, 60)
    assert max(growth(params, x[:steps]) for steps in range(10, 61)) < 0.03


# --- strained draws, and what is not asked for ---------------------------------------------------


def strained(draws, steps, dtype="float32"):
    """Draws most of which leave the range of float32, and some that of float64."""
    random = np.random.default_rng(77)
    params = 20.0 * random.standard_normal((draws, 14))
    return params.astype(dtype), random.standard_normal((draws, steps)).astype(dtype)


def test_a_strained_float32_draw_is_that_of_float64_rounded():
    params, x = strained(60, 12)
    params[:, NAMES.index("b_f")] = 200  # beyond what plain gates of float32 take
    dy = np.ones_like(x)
    single = fastlstm.gradients(params, x, dy), fastlstm.forward(params, x)
    params, x, dy = (array.astype(np.float64) for array in (params, x, dy))
    double = fastlstm.gradients(params, x, dy), fastlstm.forward(params, x)
    with np.errstate(over="ignore"):
        for mine, exact in zip(single, double, strict=True):
            for name, values in vars(mine).items():
                assert values.dtype == np.float32
                np.testing.assert_array_equal(values, getattr(exact, name).astype(np.float32), err_msg=name)


@pytest.mark.parametrize("std", [1.0, 20.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_draw_is_the_same_alone_and_among_others(std, dtype):
    params, x = strained(50, 12, dtype)
    params *= std / 20
    dy = np.ones_like(x)
    together, traces = fastlstm.gradients(params, x, dy), fastlstm.forward(params, x)
    for draw in range(0, 50, 7):
        alone, trace = fastlstm.gradients(params[draw], x[draw], dy[draw]), fastlstm.forward(params[draw], x[draw])
        for some, one in ((together, alone), (traces, trace)):
            for name, values in vars(one).items():
                np.testing.assert_array_equal(values[0], getattr(some, name)[draw], err_msg=name)


@pytest.mark.parametrize(
    ("mode", "params", "x"),
    [("full", *strained(70, 10)), *((mode, *example(16, 70, 10)[:2]) for mode in ("cec", "local"))],
)
def test_without_gradients_of_inputs_the_others_are_the_same_to_the_bit(mode, params, x):
    dy = np.ones_like(x)
    whole = fastlstm.gradients(params, x, dy, mode=mode)
    rest = fastlstm.gradients(params, x, dy, mode=mode, inputs=False)
    assert rest.x.shape == (70, 0)
    for name in ("params", "h0", "C0"):
        np.testing.assert_array_equal(getattr(rest, name), getattr(whole, name))


@pytest.mark.parametrize("std", [1.0, 20.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_fill_the_arrays_they_are_given_with_the_same_bits(std, dtype):
    params, x = strained(70, 10, dtype)
    params *= std / 20
    fresh, out = fastlstm.gradients(params, x, loss="sum"), zeros(70, 10, dtype)
    kept = dict(vars(out))
    assert fastlstm.gradients(params, x, loss="sum", out=out) is out
    for name, values in vars(out).items():
        assert values is kept[name]
        np.testing.assert_array_equal(values, getattr(fresh, name), err_msg=name)


def test_gradients_are_not_written_over_what_they_are_of():
    params, x = strained(70, 10)
    out = zeros(70, 10, np.float32)
    for name, arguments in (("x", (params, out.x)), ("params", (out.params, x))):
        with pytest.raises(ValueError, match=rf"out\.{name} shares memory with an argument"):
            fastlstm.gradients(*arguments, loss="sum", out=out)
    assert not out.x.any()
