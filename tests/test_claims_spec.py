"""[[claim]] in a spec: what is accepted, what is refused with its place, and that claims are no part of the content."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlstm.claims.grid import chains
from fastlstm.measures import GROUPS, lags
from fastlstm.spec import SpecError, json_schema, load
from fastlstm.spec.claims import Claim
from fastlstm.spec.vocabulary import Vocabulary, vocabulary
from fastlstm.verdicts.judge import SCHEMA

PAGE = (Path(__file__).parents[1] / "docs" / "claims.md").read_text()
BASE = {
    "draws": 10,
    "steps": {"grid": [20, 60]},
    "params": {
        "default": {"normal": {"std": {"grid": [1.0, 2.0]}}},
        "b_f": {"grid": [-2.0, 1.0, 4.0]},
        "b_i": {"grid": [{"normal": {}}, {"tied": {"to": "b_f", "factor": -1.0}}]},
    },
    "measure": {"groups": ["norms", "gates", "carousel", "truncation", "lags"]},
}


def claim(**changes):
    return {"text": "something", "statistic": "share(exploded)", "predicts": "<= 0.5"} | changes


def spec(*claims, overrides=(), **tables):
    return load(BASE | {"claim": list(claims)} | tables, overrides)


def problems(*claims, overrides=(), **tables):
    with pytest.raises(SpecError) as caught:
        spec(*claims, overrides=overrides, **tables)
    return caught.value.problems


# accepted


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "somebody", "tolerance": 1},
        {"where": "steps == 20 and b_f > -2 or point == 3"},
        {"where": 'b_i == "normal(mean=0, std=1)"'},
        {"where": "default_normal_std != 1"},
        {"predicts": "== 1 / (steps + 1) + abs(b_f) * point"},
        {"predicts": "rises along default_normal_std"},
        {"predicts": "falls along steps", "where": "b_f == 1"},
        {"predicts": "rises along b_i"},
        {"statistic": "share(W_hf > b_f and b_i < 0)"},
        {"statistic": 'share(b_i_law == "normal(mean=0, std=1)" and draw < 5)'},
        {"statistic": "share(log10_dh0 < -steps / 10) * steps"},
        {"statistic": "median(log10_dh_lag_50)", "where": "steps == 60"},
        {"statistic": "mean(cec_cosine) - mean(1 / (1 + exp(-b_i)))"},
        {"statistic": "mean(min(max(loss, -1), 1))"},
        {"statistic": "quantile(local_rel_error / cec_rel_error, 0.9, given=regime_f == 'right')"},
    ],
)
def test_claims_are_read_and_come_back_from_the_normalised_text(changes):
    made = spec(claim(), claim(**changes))
    assert load(tomllib.loads(made.normalised())) == made
    assert made.claim[1].predicts == changes.get("predicts", "<= 0.5")
    assert len(made.claim) == 2


def test_a_claim_of_one_point_may_name_its_steps():
    single = {"draws": 1, "steps": 5, "params": {"default": 0}}
    made = load(single | {"claim": [claim(predicts="<= 1 / steps", where="steps == 5")]})
    assert made.axes() == {}


def test_claims_are_no_part_of_the_content():
    plain, claimed = load(BASE), spec(claim(), claim(predicts="> 0"))
    assert claimed.hash == plain.hash
    assert claimed.differences(plain) == plain.differences(claimed) == []
    assert claimed != plain
    assert plain.claim == ()
    assert "claim" not in plain.normalised()


def test_overrides_reach_around_claims_and_can_leave_them_out():
    made = spec(claim(where="steps == 20"), overrides=["draws=5", "params.b_f=1.0"])
    assert (made.draws, len(made.claim)) == (5, 1)
    assert spec(claim(where="steps == 20"), overrides=["steps=30", "claim=[]"]).claim == ()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.floats(0, 1e300))
def test_any_text_of_a_claim_comes_back_from_the_normalised_spec(text, source, tolerance):
    made = spec(claim(text=text, source=source, tolerance=tolerance))
    assert load(tomllib.loads(made.normalised())) == made


def test_points_along_an_axis_follow_its_numbers_and_laws_follow_the_grid():
    axes = {"steps": [30, 10, 20], "b_i": ["z", "a"], "b_f": [1.0, -1.0]}
    everywhere = np.arange(12)
    along = {name: [chain.tolist() for chain in chains(axes, name, everywhere)] for name in axes}
    assert along["steps"] == [[4 + k, 8 + k, k] for k in range(4)]
    assert along["b_i"] == [[k, k + 2] for k in (0, 1, 4, 5, 8, 9)]
    assert along["b_f"] == [[k + 1, k] for k in range(0, 12, 2)]
    assert [chain.tolist() for chain in chains(axes, "steps", np.array([0, 4, 9, 3]))] == [[4, 0]]


def test_claims_may_name_just_the_columns_that_rows_have():
    for groups in (["norms"], [name for name in GROUPS if name != "window"], ["gates", "lags"]):
        made = load(BASE | {"measure": {"groups": groups}, "state": {"h": {"normal": {}}}})
        names = vocabulary(made)
        stored = set(made.row_layout.names)
        assert stored <= names.columns.keys() | names.constants.keys()
        assert set(names.columns) <= stored
        assert names.constants.keys() - stored == {"point"}


# refused: the claim's changes, its key, and what is said

REFUSED = {
    "misspelt column": ({"statistic": "share(explodd)"}, "statistic", "explodd is no column; did you mean exploded?"),
    "misspelt measure": ({"statistic": "median(log10_grd)"}, "statistic", "did you mean log10_grad?"),
    "misspelt statistic": ({"statistic": "shar(exploded)"}, "statistic", "did you mean share?"),
    "group not measured": ({"statistic": "median(b_max)"}, "statistic", "group jacobian, which measure.groups"),
    "two names": ({"statistic": "share(fmean > imean)"}, "statistic", "fmean is no column; did you mean f_mean?; i"),
    "lag beyond a point": ({"statistic": "median(log10_dh_lag_50)"}, "statistic", "longer than the 20 steps"),
    "lag beyond all": ({"statistic": "median(log10_dh_lag_100)"}, "statistic", "longer lag than any point has steps"),
    "unbounded mean": ({"statistic": "mean(log10_grad)"}, "statistic", "the mean of a heavy tail says nothing"),
    "half-bounded mean": ({"statistic": "mean(cec_rel_error)"}, "statistic", "has no bounds"),
    "condition": ({"statistic": "share(f_mean)"}, "statistic", "share() must be a condition, and f_mean is a number"),
    "number": ({"statistic": "median(exploded)"}, "statistic", "median() must be a number, and exploded is"),
    "given": ({"statistic": "share(exploded, given=f_mean)"}, "statistic", "given must be a condition"),
    "misspelt class": ({"statistic": 'share(regime_f == "rigth")'}, "statistic", "did you mean right?"),
    "nothing that varies": ({"statistic": "share(b_f > 0)"}, "statistic", "no column that varies"),
    "comparison": ({"statistic": "share(exploded) > 0.5"}, "statistic", "the statistic must be a number"),
    "column outside": ({"statistic": "share(exploded) + f_mean"}, "statistic", "f_mean is a column and no axis"),
    "misspelt axis": ({"where": "stepz == 20"}, "where", "stepz is no axis; did you mean steps?"),
    "where is no condition": ({"where": "steps"}, "where", "where must be a condition, and steps is a number"),
    "where names a column": ({"where": "f_mean > 0.5"}, "where", "f_mean is a column and no axis"),
    "where is nowhere": ({"where": "steps == 30"}, "where", "is true at no point"),
    "misspelt label": ({"where": 'b_i == "normal(mean=0)"'}, "where", 'did you mean normal(mean=0, std=1)?'),
    "no expression": ({"where": "steps =="}, "where", "is no expression"),
    "call": ({"where": "__import__('os').getcwd() == 1"}, "where", "is no function"),
    "single =": ({"predicts": "= 0.5"}, "predicts", "must be a comparison such as"),
    "number alone": ({"predicts": "0.5"}, "predicts", "must be a comparison such as"),
    "column predicted": ({"predicts": "<= f_mean"}, "predicts", "f_mean is a column and no axis"),
    "no finite number": ({"predicts": "== 1 / (b_f - 1)"}, "predicts", "is no finite number at point 2"),
    "condition predicted": ({"predicts": "== (b_f > 1)"}, "predicts", "the prediction must be a number"),
    "along no axis": ({"predicts": "rises along stepps"}, "predicts", "stepps is no axis; did you mean steps?"),
    "along one point": ({"predicts": "rises along steps", "where": "steps == 20"}, "predicts", "no two of the points"),
    "negative tolerance": ({"tolerance": -1}, "tolerance", "must be at least 0"),
    "no number": ({"tolerance": "small"}, "tolerance", "must be a number"),
    "misspelt key": ({"statistik": "x"}, "statistik", "no such key; did you mean statistic?"),
    "no text": ({"text": 3}, "text", "must be a string"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_claim_that_cannot_be_judged_is_refused_with_its_place(name):
    changes, key, told = REFUSED[name]
    (problem,) = problems(claim(), claim(**changes))
    assert problem.key == f"claim[1].{key}"
    assert told in problem.message
    assert problem.value


def test_what_cannot_be_read_is_told_with_all_other_tables_and_names_once_these_are_right():
    claims = (
        claim(statistic="share(explodd)", where="step == 1", predicts="<= b_g"),
        claim(predicts="about 1"),
        {"text": "no more than this"},
        claim(statistik="median(loss)"),
        5,
        claim(where="stepz > 1"),
    )
    keys = {problem.key for problem in problems(*claims, draws=0, loss={"kind": "mae"})}
    unreadable = {"claim[1].predicts", "claim[2].statistic", "claim[2].predicts", "claim[3].statistik", "claim[4]"}
    assert keys == unreadable | {"draws", "loss.kind"}
    assert [problem.key for problem in problems(claims[0], claims[5])] == [
        "claim[0].where",
        "claim[0].statistic",
        "claim[0].predicts",
        "claim[1].where",
    ]


def test_a_claim_that_is_no_list_gets_its_brackets():
    for written in (claim(), 3, "claim"):
        with pytest.raises(SpecError, match=re.escape("must be a list of tables; write [[claim]]")):
            load(BASE | {"claim": written})


def test_syntax_is_checked_even_where_columns_are_not_known():
    actual = problems(claim(predicts="="), claim(statistic="share(explodd)"), measure={"groups": ["nrms"]})
    assert [problem.key for problem in actual] == ["measure.groups[0]", "claim[0].predicts"]


def test_an_override_that_takes_a_claim_its_points_says_how_to_leave_claims_out():
    (problem,) = problems(claim(where="steps == 20"), overrides=["steps=30"])
    assert (problem.key, problem.value) == ("claim[0].where", '"steps == 20"')
    assert "claim=[]" in problem.message


# without rows


@pytest.mark.parametrize(
    "statistic",
    [
        "share(exploded)",
        "share(not vanished and regime_f == 'left' or regime_i != 'mid')",
        "share(regime_o == 'mid', given=exploded)",
        "share(log10_dh0 < -3 and regime_f == 'left')",
        "median(2 * log10_grad, given=regime_f == 'left')",
        "1 - quantile(cec_cosine, 0.05)",
    ],
)
def test_without_rows_counts_can_be_asked(statistic):
    assert spec(claim(statistic=statistic), store={"rows": "none"})


@pytest.mark.parametrize(
    "statistic",
    [
        "share(exploded and vanished)",
        "share(f_mean > 0.5)",
        "share(log10_dh0 < log10_dC0)",
        "share(W_hf > 0)",
        "median(log10_dh0, given=exploded)",
        "median(log10_dh0, given=log10_dh0 > 0)",
        "mean(cec_cosine)",
        "tail_index(10 ** log10_dh0, 0.01)",
    ],
)
def test_without_rows_all_else_is_refused(statistic):
    (problem,) = problems(claim(statistic=statistic), store={"rows": "none"})
    assert problem.key == "claim[0].statistic"
    assert 'needs rows, and store.rows is "none"' in problem.message
    assert spec(claim(statistic=statistic), store={"rows": 3})


# what the pages say


def test_examples_of_the_page_are_legal():
    examples = re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        assert load(tomllib.loads(example)).claim


def test_the_page_has_every_key_and_column():
    for key in Claim.model_fields:
        assert re.search(rf"^\| `{key}` \|", PAGE, flags=re.MULTILINE), key
    table = PAGE.partition("## claims.parquet")[2]
    for name in SCHEMA.names:
        assert f"`{name}`" in table, name


def test_the_schema_knows_claims():
    schema = json_schema()
    assert schema["properties"]["claim"]["items"] == {"$ref": "#/$defs/Claim"}
    assert set(schema["$defs"]["Claim"]["properties"]) == set(Claim.model_fields)
    assert schema["$defs"]["Claim"]["required"] == ["text", "statistic", "predicts"]


def test_bounds_of_the_vocabulary_are_those_of_the_measures():
    names = vocabulary(load(BASE))
    assert isinstance(names, Vocabulary)
    for name, low, high in (("f_mean", 0, 1), ("log10_forget", -np.inf, 0), ("o_slope", 0, 1 / 4)):
        assert (names.columns[name].low, names.columns[name].high) == (low, high)
    assert set(lags(60)) == {int(name.rpartition("_")[2]) for name in names.columns if "_dh_lag_" in name}
