"""diagnose: mistakes put into a function of plain Python are named, and nothing that is not there is."""

import json
import subprocess
import sys
from contextlib import chdir
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from diagnosis_samples import (
    NEEDS_A_BATCH,
    claims_falsely,
    is_named,
    lines_of,
    random_sets,
)
from hand_written import by_differences, written_by_hand
from typer.testing import CliRunner

import fastlstm
from fastlstm.cli import app
from fastlstm.diagnosis import NoAnswer, diagnose
from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.diagnosis.layouts import Layout
from fastlstm.diagnosis.probes import Takes, strong_probe
from fastlstm.diagnosis.spellings import made_of
from fastlstm.oracles import naive

FASTLSTM = Path(sys.executable).with_name("fastlstm")
# Sets of mistakes with the same numbers; docs/diagnose.md lists them.
SAME_NUMBERS = [{"F7.linear", "B1.none"}]
CONSISTENT = {"F3.sigmoid*": "F3.sigmoid", "F5.C*": "F5.C"}  # equal to a forward mistake with its own gradients


def twin_with(*ids):
    """A function of batches that makes some mistakes: the twin's table with their lines."""
    lines = lines_of(ids)

    def gradients(params, x, dy, h0, C0):
        trace = naive.forward_quantities(naive.Parameters(*params.T), x, h0, C0, lines)
        values = naive.backward_quantities(trace, dy, lines)
        return np.stack([values[f"grad_{name}"] for name in naive.NAMES], axis=1)

    return gradients


# --- one mistake ---------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [id for id in CATALOGUE if id not in NEEDS_A_BATCH | {"F2.clip"}])
def test_a_mistake_in_plain_python_is_named(id):
    verdict = diagnose(written_by_hand(lines_of([id])))
    assert not verdict.right
    assert is_named(verdict, (id,))
    for equal in verdict.equals:
        ids = {finding.id for finding in equal}
        assert {id} | ids in SAME_NUMBERS or ids in ({id}, {CONSISTENT.get(id)}, made_of().get(id))
    assert all(finding.sentence in str(verdict) for finding in verdict.mistakes)
    assert verdict.departs is not None


@pytest.mark.parametrize("id", sorted(NEEDS_A_BATCH | {"F2.clip"}))
def test_a_mistake_that_needs_a_batch_or_all_digits_is_named(id):
    assert is_named(diagnose(twin_with(id)), (id,))


@pytest.mark.parametrize("id", [id for id in CATALOGUE if id not in NEEDS_A_BATCH | {"F2.clip"}][::6])
def test_a_mistake_in_float32_is_named(id):
    assert is_named(diagnose(written_by_hand(lines_of([id]), np.float32)), (id,))


@pytest.mark.parametrize("id", [id for id in CATALOGUE if id not in NEEDS_A_BATCH | {"F2.clip"}])
def test_a_mistake_under_an_error_of_one_in_a_million_is_named(id):
    exact, random = twin_with(id), np.random.default_rng(1)

    def gradients(params, x, dy, h0, C0):
        values = exact(params, x, dy, h0, C0)
        return values + 1e-6 * np.abs(values).max(axis=0) * random.uniform(-1, 1, values.shape)

    verdict = diagnose(gradients)
    if id in ("B15.zero", "B15.dh1", "B16.none", "B16.dC"):  # in none of the 14
        assert verdict.right
        assert id in str(verdict)
    else:
        assert is_named(verdict, (id,))


@pytest.mark.parametrize("id", [id for id, mistake in CATALOGUE.items() if mistake.is_forward and id != "F2.clip"])
def test_a_mistake_in_a_forward_pass_is_named_from_its_central_differences(id):
    verdict = diagnose(by_differences(lines_of([id]), 1e-3))
    assert is_named(verdict, (id,))


# --- more than one -------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "sets"), [(2, 8), (4, 3)])
def test_some_mistakes_at_once_are_named(size, sets):
    """A fixed sample; benchmarks/diagnosis.py has more than ten times as many."""
    for ids in islice(random_sets(size, seed=size), sets):
        verdict = diagnose(written_by_hand(lines_of(ids)))
        assert is_named(verdict, ids), f"{ids}: {verdict}"
        assert not claims_falsely(verdict, ids)


def test_eight_mistakes_of_a_public_notebook_are_named():
    """nicklashansen/rnn_lstm_from_scratch without its last clip: lists that are one place off, slopes at the values,
    and nothing carried back."""
    ids = ("B12.h-1", "B4.old", "B3.old", "B3.tt", "B5.2", "B8.act", "B8.fs", "M3")
    assert is_named(diagnose(written_by_hand(lines_of(ids), all_outputs=False)), ids)


def test_an_unknown_mistake_is_not_given_a_name():
    verdict = diagnose(written_by_hand({"dW_hc": "dz_c[t] * tanh(h[t-1])", "db_o": "dz_o[t] + 0.1"}))
    assert (verdict.right, verdict.mistakes) == (False, ())
    assert "No known mistake" in str(verdict)
    assert (verdict.departs.output, verdict.departs.steps) == ("db_o", 1)
    assert "B11" in str(verdict)


@pytest.mark.parametrize("id", ["B12.y", "B9.C", "B10.x-1"])
def test_a_mistake_that_is_held_out_is_not_given_another_name(id):
    verdict = diagnose(written_by_hand(lines_of([id])), leave_out=[id])
    assert (verdict.right, verdict.mistakes) == (False, ())


def test_a_part_that_fits_is_told_as_agreeing_columns_and_not_as_a_mistake():
    lines = lines_of(["B12.h-1"]) | {"dW_xf": "dz_f[t] * x[t]**3"}
    verdict = diagnose(written_by_hand(lines))
    assert verdict.mistakes == ()
    assert "columns agree with B12.h-1" in str(verdict)


# --- right ---------------------------------------------------------------------------------------


def reordered(layout, *, batched):
    """Right gradients that read and return the 14 in another order, for a batch or for one draw."""
    places = layout.places

    def of_a_batch(params, x, dy, h0, C0):
        canonical = np.empty_like(params)
        canonical[:, places] = params
        return naive.gradients(canonical, x, dy, h0, C0).params[:, places]

    def of_one_draw(params, x, dy, h0, C0):
        assert params.shape == (14,)
        return of_a_batch(params[None], x[None], dy[None], h0, C0)[0]

    return of_a_batch if batched else of_one_draw


ORDERS = ["fioc", "ifoc", "ifco", "icfo", "iofc", "cifo", "fico", "foci"]


@pytest.mark.parametrize("batched", [True, False], ids=["batch", "one draw"])
@pytest.mark.parametrize("gates", ORDERS)
@pytest.mark.parametrize("within", ["W_h, W_x, b of each gate", "all W_x, all W_h, all b"])
def test_right_gradients_in_any_order_of_the_gates_are_right(gates, within, batched):
    verdict = diagnose(reordered(Layout(gates, within), batched=batched))
    assert verdict.right, str(verdict)
    assert (verdict.order == "") == (Layout(gates, within) == Layout())


@pytest.mark.parametrize("gates", ORDERS)
def test_the_order_may_be_stated(gates):
    assert diagnose(reordered(Layout(gates), batched=True), order=gates.replace("c", "g")).right
    fastlstm.assert_gradients(reordered(Layout(gates), batched=False), order=gates)


def test_a_mistake_in_another_order_of_the_gates_is_named():
    wrong = twin_with("B3.f_t")
    places = Layout("ifco").places

    def gradients(params, x, dy, h0, C0):
        canonical = np.empty_like(params)
        canonical[:, places] = params
        return wrong(canonical, x, dy, h0, C0)[:, places]

    verdict = diagnose(gradients)
    assert is_named(verdict, ("B3.f_t",))
    assert "i f c o" in verdict.order


@pytest.mark.parametrize(
    "function",
    [
        fastlstm.gradients,
        lambda params, x, dy: naive.gradients(params, x, dy).params,
        lambda params, x, dy, h0: naive.gradients(params, x, dy, h0).params.T,
        lambda params, x, dy, C_0=0.0, h_0=0.0: naive.gradients(params, x, dy, h_0, C_0).params,
        lambda params, x: naive.gradients(params, x, np.ones_like(x)).params,
        lambda params, x, dy: tuple(naive.gradients(params, x, dy).params[0]) if params.ndim == 1 else 1 / 0,
        lambda params, x, dy: naive.gradients(params, x, dy).params.ravel() if len(params) == 1 else 1 / 0,
        lambda params, x, dy, eps=1e-6: {"dW_hi": naive.gradients(params, x, dy).params[:, 3]},
        lambda params, x, dy: {"dx": naive.gradients(params, x, dy).x, "params": naive.gradients(params, x, dy).params},
    ],
)
def test_right_gradients_are_right_however_they_are_called_and_returned(function):
    verdict = diagnose(function)
    assert verdict.right, str(verdict)
    assert verdict.mistakes == ()


def test_right_gradients_of_every_step_are_right():
    def steps(params, x, dy, h0, C0):
        trace = naive.forward_quantities(naive.Parameters(*params.T), x, h0, C0)
        values = naive.backward_quantities(trace, dy)
        names = ("dh", "dC", "df", "di", "do", "dg", "dz_f", "dz_i", "dz_o", "dz_c", "dx")
        return {name: np.stack(values[name][1:-1], axis=1) for name in names}

    assert diagnose(steps).right
    fastlstm.assert_gradients(steps)


def test_float32_and_central_differences_are_right():
    assert diagnose(written_by_hand({}, np.float32)).right
    assert diagnose(by_differences({}, 1e-3)).right


def test_what_is_right_on_ordinary_draws_alone_is_wrong():
    def gradients(params, x, dy, h0, C0):
        values = naive.gradients(params, x, dy, h0, C0).params
        return np.where(np.abs(params) > 6, 0, values)

    assert np.abs(strong_probe(Takes()).params).max() > 6
    verdict = diagnose(gradients)
    assert not verdict.right
    assert "large parameters" in str(verdict)


# --- before any search ---------------------------------------------------------------------------


def test_permuted_gradients_are_told_with_their_order():
    places = Layout("ifco").places
    verdict = diagnose(lambda params, x, dy: naive.gradients(params, x, dy).params[:, places])
    assert not verdict.right
    assert verdict.mistakes[0].id == "order"
    assert "i f c o (as in PyTorch, Keras)" in str(verdict)


@pytest.mark.parametrize(("factor", "told"), [(-1.0, "S.-"), (2.0, "S.2"), (0.37, "times 0.37")])
def test_one_factor_is_told(factor, told):
    verdict = diagnose(lambda params, x, dy: factor * naive.gradients(params, x, dy).params)
    assert not verdict.right
    assert told in str(verdict)


def test_zeros_and_nan_are_told_without_a_search():
    assert "All values are 0" in str(diagnose(lambda params, x, dy: np.zeros((len(params), 14))))
    verdict = diagnose(lambda params, x, dy: np.full((len(params), 14), np.nan))
    assert "dW_hf is not a finite number at T = 1" in str(verdict)
    json.loads(json.dumps(verdict.as_dict()), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda params, x, dy: None, "returns None"),
        (lambda params, x, dy: "0.5", "returns text"),
        (lambda params, x, dy: [[1.0, 2.0], [3.0]], "ragged"),
        (lambda params, x, dy: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda params, x, dy: np.zeros((len(params), 13)), "(4, 13)"),
        (lambda params, x, dy: np.zeros((len(params), 14), complex), "complex128, not real numbers"),
        (lambda params, x, dy: {"W_hj": np.zeros(len(params))}, "'W_hj', which is no known output; did you mean W_h"),
        (lambda params, x, dy: {"dC": np.zeros((len(params), 9))}, "dC of shape (4, 9)"),
        (lambda params, x, dy: {}, "returns no output"),
        (lambda params: 0, "takes (params); it must take (params, x, dy, h0, C0)"),
        (lambda a, b, c, d, e, f: 0, "it must take"),
        (42, "is a int, no function"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(function, told):
    with pytest.raises(NoAnswer) as refusal:
        diagnose(function)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_arguments_that_are_no_choice_are_refused():
    with pytest.raises(ValueError, match="'forward'"):
        diagnose(fastlstm.gradients, kind="backward")
    with pytest.raises(ValueError, match="each of the letters"):
        diagnose(fastlstm.gradients, order="ifg")


def test_assert_gradients_raises_the_text_of_the_verdict():
    wrong = twin_with("B3.f_t")
    with pytest.raises(AssertionError) as failure:
        fastlstm.assert_gradients(wrong)
    assert str(failure.value) == str(diagnose(wrong))
    assert "right     dC_t = dh_t o_t (1 - tanh^2 C_t) + f_{t+1} dC_{t+1}" in str(failure.value)


# --- forward passes ------------------------------------------------------------------------------


def forward_with(*ids, outputs="fiogChy"):
    lines = lines_of(ids)

    def forward(params, x, h0, C0):
        values = naive.forward_quantities(naive.Parameters(*params.T), x, h0, C0, lines)
        if outputs == "loss":
            return sum(values["y"][1:-1])
        return {name: np.stack(values[name][1:-1], axis=1) for name in outputs}

    return forward


@pytest.mark.parametrize("outputs", ["fiogChy", "hC", "y", "loss"])
def test_a_right_forward_pass_is_right(outputs):
    assert diagnose(forward_with(outputs=outputs), kind="forward").right


@pytest.mark.parametrize("id", [id for id, mistake in CATALOGUE.items() if mistake.is_forward and id != "F2.clip"])
def test_a_mistake_in_a_forward_pass_is_named_from_its_trace(id):
    assert is_named(diagnose(forward_with(id), kind="forward"), (id,))


# --- the command ---------------------------------------------------------------------------------

MINE = """
import numpy as np
import fastlstm

def right(params, x, dy, h0, C0):
    return fastlstm.gradients(params, x, dy, h0=h0, C0=C0).params

def local(params, x, dy, h0, C0):
    return fastlstm.gradients(params, x, dy, h0=h0, C0=C0, mode="local").params

def nothing(params, x, dy):
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["mine.py:right"], 0, "right: right."),
        (["mine.py:right", "--order", "fiog"], 0, "right: right."),
        (["mine.py:local"], 4, "M3  nothing comes back"),
        (["mine.py:nothing"], 2, "nothing returns None"),
        (["mine.py:missing"], 2, "mine.py has no missing; it has right, local, nothing"),
        (["other.py:right"], 2, "other.py is no file"),
        (["mine.py"], 2, "give FILE:FUNCTION"),
        (["mine.py:right", "--order", "abc"], 2, "each of the letters"),
    ],
)
def test_the_command_ends_with_its_exit_code(tmp_path, arguments, code, told):
    (tmp_path / "mine.py").write_text(MINE)
    with chdir(tmp_path):
        done = CliRunner().invoke(app, ["diagnose", *arguments])
    assert done.exit_code == code, done.stderr
    assert told in (done.stderr if code == 2 else done.stdout)
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_the_command_in_a_process_of_its_own_prints_json(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    command = [FASTLSTM, "diagnose", "mine.py:local", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    verdict = json.loads(done.stdout)
    assert (done.returncode, verdict["right"]) == (4, False)
    assert verdict["mistakes"][0]["id"] == "M3"
