"""The face in Python: what objects say of themselves, overrides, lazy rows, frames by name, versions."""

import inspect
import itertools
import re

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.dataset
import pytest
import specs

import fastlstm
from fastlstm import runs
from fastlstm.oracles.naive import NAMES
from fastlstm.store import OtherSpec

rng = np.random.default_rng(5)
VALUES = rng.normal(size=(8, 14))
X, DY = rng.normal(size=(2, 8, 6))
FRAME = pd.DataFrame(VALUES, columns=list(NAMES))
SHUFFLED = FRAME[sorted(FRAME)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    claim = {"text": "Few <b>explode</b>\x1b.", "statistic": "share(exploded)", "predicts": "<= 1"}
    spec = specs.SHORT | {"title": "<i>A title</i>\u202e", "claim": [claim]}
    return fastlstm.run(spec, tmp_path_factory.mktemp("face") / "run", overrides={"draws": 300, "params.b_f": 1.0})


# Arrays and frames


@pytest.mark.parametrize("draws", [1, 8])
def test_traces_and_gradients_say_their_size_in_a_line(draws):
    number = "1 draw" if draws == 1 else "8 draws"
    assert repr(fastlstm.forward(VALUES[:draws], X[:draws])) == f"Trace of {number} x 6 steps, float64"
    x = X[:draws].astype(np.float32)
    assert repr(fastlstm.gradients(VALUES[:draws].astype(np.float32), x, x)) == (
        f"Gradients of {number} x 6 steps, float32"
    )


BY_NAME = {
    "a pandas frame": SHUFFLED,
    "a polars frame": polars.DataFrame({name: SHUFFLED[name].to_numpy() for name in SHUFFLED}),
    "a pyarrow table": pa.table({name: SHUFFLED[name].to_numpy() for name in SHUFFLED}),
    "a mapping of Series": dict(SHUFFLED.items()),
}


@pytest.mark.parametrize("params", BY_NAME.values(), ids=BY_NAME)
def test_columns_are_taken_by_their_names_whatever_their_order(params):
    np.testing.assert_array_equal(fastlstm.gradients(params, X, DY).params, fastlstm.gradients(VALUES, X, DY).params)


def test_a_row_of_a_frame_is_taken_by_its_names():
    one = fastlstm.gradients(SHUFFLED.iloc[3], X[3], DY[3])
    np.testing.assert_array_equal(one.params, fastlstm.gradients(VALUES[3], X[3], DY[3]).params)


REFUSED = {
    "a frame without the names": ((pd.DataFrame(VALUES), X, DY), "the names are W_hf W_xf"),
    "a row without the names": ((pd.Series(VALUES[0]), X, DY), "the names are W_hf W_xf"),
    "a masked x": ((VALUES, np.ma.array(X, mask=X > 1), DY), "x is a masked array"),
    "a masked dy": ((VALUES, X, np.ma.array(DY)), "dy is a masked array"),
    "a masked parameter": ((dict(FRAME.items()) | {"b_f": np.ma.zeros(8)}, X, DY), "b_f is a masked array"),
    "a Series in another order": (
        (dict(FRAME.items()) | {"b_f": FRAME["b_f"].iloc[::-1]}, X, DY),
        "b_f and W_hf have different indices",
    ),
    "inputs in another order": ((FRAME, pd.DataFrame(X).iloc[::-1], DY), "params and x have different indices"),
    "a dy of other draws": ((VALUES, pd.DataFrame(X), pd.DataFrame(DY, index=range(1, 9))), "dy and x have different"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_taken_by_place_or_without_its_mask_is_refused(name):
    arguments, told = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(told)):
        fastlstm.gradients(*arguments)


# Runs


def test_overrides_are_a_mapping_or_texts_and_mean_the_same():
    values = {"draws": 7, "params.b_f": {"grid": [0.0, 1.0]}, "input.process": "walk", "steps": np.int64(5)}
    texts = ["draws=7", "params.b_f={grid=[0.0, 1.0]}", "input.process=walk", "steps=5"]
    assert fastlstm.load(specs.SHORT, values) == fastlstm.load(specs.SHORT, texts)
    assert len(fastlstm.simulate(specs.SHORT, overrides={"draws": 3})) == 18
    with pytest.raises(fastlstm.SpecError, match=r"--set: draws = 0: must be at least 1"):
        fastlstm.load(specs.SHORT, {"draws": 0})
    with pytest.raises(fastlstm.SpecError, match="no such key; did you mean draws"):
        fastlstm.load(specs.SHORT, {"drawz": 3})


def test_a_run_in_a_notebook_has_title_size_verdicts_and_regimes_and_is_safe(run):
    html = run._repr_html_()
    assert r"&lt;i&gt;A title&lt;/i&gt;\u202e" in html
    assert "600 of 600 draws at 2 points, 600 rows" in html
    assert r"Few &lt;b&gt;explode&lt;/b&gt;\x1b." in html
    assert "holds" in html
    assert "regime_f" in html
    assert html.replace("\n", "").isprintable()
    assert repr(run) == f"Run({str(run.path)!r})"


def test_a_run_that_is_not_done_is_shown_as_far_as_it_is(tmp_path):
    part = fastlstm.run(specs.SHORT, tmp_path / "part", overrides={"draws": 2100}, shard=(1, 2))
    assert "of 12,600 draws at 6 points" in part._repr_html_()
    assert "<table" not in part._repr_html_()


def test_dataset_is_lazy_and_has_the_rows(run):
    dataset = run.dataset()
    table = dataset.to_table(columns=["point", "draw", "log10_grad"])
    frame = run.draws(["point", "draw", "log10_grad"])
    pd.testing.assert_frame_equal(table.to_pandas(), frame, check_like=False)
    assert dataset.count_rows(filter=pyarrow.dataset.field("point") == 1) == 300


def test_points_in_a_line_each_are_those_of_their_rows(run):
    table, rows = run.by_point(), run.draws()
    assert table["point"].tolist() == [0, 1]
    for name in ("exploded", "vanished"):
        assert table[name].tolist() == rows.groupby("point")[name].sum().tolist()
    exact = rows.groupby("point")["log10_grad"].quantile(0.5)
    np.testing.assert_allclose(table["log10_grad_q50"], exact, atol=0.05)
    assert run.by_point([1])["point"].tolist() == [1]


def test_rows_that_take_more_than_half_of_the_memory_are_warned_of(run, monkeypatch):
    monkeypatch.setattr(runs.os, "sysconf", lambda name: 4096 if name == "SC_PAGE_SIZE" else 20)
    with pytest.warns(UserWarning, match=r"600 rows take about .* GB of the 0\.0 GB"):
        run.draws()
    run.draws(columns=["draw"])


def test_a_directory_of_another_spec_is_refused_with_the_keys_that_differ(run):
    with pytest.raises(OtherSpec, match=r"seed: 12 here, 11 there") as error:
        fastlstm.run(run.spec().model_copy(update={"seed": 12}), run.path)
    assert error.value.differences == ("seed: 12 here, 11 there",)


def test_versions_are_those_of_the_packages_and_the_machine(capsys):
    fastlstm.show_versions()
    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if " " in line.strip())
    assert facts["fastlstm"] == fastlstm.__version__
    assert facts["numpy"] == np.__version__
    assert {"numba", "pandas", "pyarrow", "python", "platform", "cpu", "kernel"} <= facts.keys()


def test_signatures_can_be_read_by_a_person():
    functions = [getattr(fastlstm, name) for name in fastlstm.__all__]
    for function in filter(inspect.isfunction, functions):
        kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
        positional = list(itertools.takewhile(lambda kind: kind is inspect.Parameter.POSITIONAL_OR_KEYWORD, kinds))
        assert len(positional) <= 3, function
        assert inspect.Parameter.VAR_KEYWORD not in kinds, function
        assert function.__doc__, function
