"""The catalogue of mistakes: every line is held to the twin, and every mistake is caught by the kernel."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from diagnosis_samples import lines_of
from hand_written import written_by_hand

import fastlstm
from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.diagnosis.formula_text import formulas, link
from fastlstm.diagnosis.mistake import BOOK, FORMULA, RIGHT, Mistake, compose
from fastlstm.diagnosis.probes import Takes, ordinary_probes, strong_probe
from fastlstm.diagnosis.spellings import made_of
from fastlstm.oracles import naive

ROOT = Path(__file__).parents[1]
PROBES = [*ordinary_probes(Takes()), strong_probe(Takes())]


def kernels(probe):
    """(draws, 14 + T + 2) of the compiled kernel: the 14, dx, h0, C0."""
    grads = fastlstm.gradients(*probe[:3], h0=probe.h0, C0=probe.C0)
    return np.column_stack([grads.params, grads.x, grads.h0, grads.C0])


def tables(probe, lines):
    """The same of the twin's table with some lines of its own."""
    with np.errstate(all="ignore"):
        trace = naive.forward_quantities(naive.Parameters(*probe.params.T), probe.x, probe.h0, probe.C0, lines)
        values = naive.backward_quantities(trace, probe.dy, lines)
    sums = [values[f"grad_{name}"] for name in naive.NAMES]
    return np.column_stack([*sums, *values["dx"][1:-1], values["dh0"], values["dC0"]])


def error(actual, true):
    return np.abs(actual - true).max(axis=0) / np.abs(true).max(axis=0)


@pytest.mark.parametrize("name", BOOK)
def test_a_slope_of_the_book_is_the_twins(name):
    """Made of the value instead of z, to rounding."""
    for probe in PROBES[:-1]:
        trace = naive.forward_quantities(naive.Parameters(*probe.params.T), probe.x, probe.h0, probe.C0)
        twin = naive.backward_quantities(trace, probe.dy)[name][1:-1]
        book = naive.backward_quantities(trace, probe.dy, BOOK)[name][1:-1]
        np.testing.assert_allclose(book, twin, rtol=1e-12)


@pytest.mark.parametrize("name", RIGHT)
def test_every_line_of_the_table_matters_to_what_the_kernel_computes(name):
    """A line that is changed changes the numbers, so the comparison with the kernel holds every line."""
    if name == "y":  # the twin's slope is made of z^y; the book's of y
        return
    probe = PROBES[3]
    changed = tables(probe, {name: f"1.1 * ({RIGHT[name]}) + 0.1"})
    assert error(changed, kernels(probe)).max() > 1e-3
    assert error(tables(probe, {}), kernels(probe)).max() < 1e-13


@pytest.mark.parametrize("id", CATALOGUE)
def test_a_mistake_is_caught_by_the_comparison_with_the_kernel(id):
    """The mutation test: with the mistake in it the twin no longer agrees with fastlstm.gradients."""
    lines = lines_of([id])
    wrong = max(float(error(tables(probe, lines), kernels(probe)).max()) for probe in PROBES)
    right = max(float(error(tables(probe, BOOK), kernels(probe)).max()) for probe in PROBES)
    assert right < 1e-11
    assert wrong > (1e-9 if id == "F2.clip" else 0.02)


@pytest.mark.parametrize("probe", PROBES[:-1], ids=lambda probe: f"T={probe.steps}")
def test_the_function_written_by_hand_is_right(probe):
    one = written_by_hand({})
    for draw, true in enumerate(kernels(probe)):
        actual = one(probe.params[draw], probe.x[draw], probe.dy[draw], probe.h0[draw], probe.C0[draw])
        flat = [*(actual[name] for name in naive.NAMES), *actual["dx"], actual["h0"], actual["C0"]]
        np.testing.assert_allclose(flat, true, rtol=1e-11, atol=1e-13)


def test_ids_begin_with_a_formula_that_the_mistake_changes():
    for id, mistake in CATALOGUE.items():
        formula = id.partition(".")[0]
        assert mistake.formulas
        assert formula in mistake.formulas or formula in ("S", "T", "M3") or id in ("B5.through", "B15.zero")


def test_every_mistake_has_a_sentence_of_its_own():
    sentences = [mistake.sentence for mistake in CATALOGUE.values()]
    assert len(set(sentences)) == len(sentences) == 139
    assert all("\n" not in sentence and not sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize("id", CATALOGUE)
def test_what_is_computed_and_what_is_right_are_written_as_formulas(id):
    mistake = CATALOGUE[id]
    computed, right = formulas(mistake.changes, compose([mistake])), formulas(mistake.changes, {})
    assert computed != right
    for text in computed + right:
        assert " = " in text
        assert not re.search(
            r"\b(slope|through|carry|back|out|grad|zero)\b|slope_|\[t[]+-]|\*", text.partition("   ")[0]
        ), text


def test_links_lead_to_the_section_that_derives_the_formula():
    page = (ROOT / "docs" / "derivation.md").read_text()
    for formula in set(FORMULA.values()):
        file, _, anchor = link(formula).partition("#")
        sections = re.split(r"^## ", page, flags=re.MULTILINE)
        titles = {re.sub(r"[^\w -]", "", s.partition("\n")[0].lower()).replace(" ", "-"): s for s in sections}
        assert file == "docs/derivation.md"
        assert f"tag{{{formula}}}" in titles[anchor]


def test_page_of_the_catalogue_is_what_the_code_declares_and_says():
    make = [sys.executable, "docs/make_diagnose.py"]
    made = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not made.stderr
    page = (ROOT / "docs" / "diagnose.md").read_text()
    assert page == made.stdout, "make it again: python docs/make_diagnose.py > docs/diagnose.md"


def test_mistakes_that_replace_the_same_line_exclude_each_other():
    assert compose([CATALOGUE["B3.none"], CATALOGUE["B3.nof"]]) is None
    assert compose([CATALOGUE["B3.f_t"], CATALOGUE["B3.none"]]) is None


def test_a_mistake_of_one_gate_overrules_that_of_all_gates():
    lines = compose([CATALOGUE["B8.act"], CATALOGUE["B8.fs"]])
    assert lines["slope_f"] == "sigmoid(f[t])"
    assert "sigmoid(i[t])" in lines["slope_i"]


def test_mistakes_that_are_made_of_others_are_known_as_such():
    assert made_of() == {
        "F3.sigmoid*": {"F3.sigmoid", "B8.ckind"},
        "F5.C*": {"F5.C", "B4.C", "B3.slope"},
        "B6.swap": {"B6.i", "B7.g"},
        "B8.none": {f"B8.{k}none" for k in "fioc"},
        "B8.act": {f"B8.{k}act" for k in "fioc"},
        "M3": {"B2.none", "B3.none"},
    }


def test_replaced_parts_and_wraps_are_made_together():
    half = Mistake("half", "a half", {"carry": "0.5 * ({})"})
    assert compose([half, CATALOGUE["B3.f_t"]])["carry"] == "0.5 * (f[t] * dC[t+1])"
    assert compose([CATALOGUE["B3.old"], CATALOGUE["B3.tt"]])["slope_C"] == "1 - tanh(tanh(C[t-1]))**2"
