"""Numbers, shares and counts as reports write them."""

import pytest

from fastlstm.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0%"), (1.0, "100%"), (0.384, "38%"), (0.0214, "2.1%"), (0.99966, "99.966%"), (3.21e-6, "0.00032%")],
)
def test_a_share_is_never_rounded_to_nothing_or_all(value, text):
    assert numbers.percent(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 4, "0"), (-0.5, 3, f"{numbers.MINUS}0.5"), (9999.0, 6, "9999"), (10_000.0, 6, "10,000"),
        (10_000.0, 3, "10,000"), (9999.6, 3, "10,000"), (-12_345.6, 6, f"{numbers.MINUS}12,345.6"),
        (123_456.0, 3, "123,000"), (1e6, 3, "1e6"), (0.001, 3, "0.001"), (9.11e-4, 3, f"9.11e{numbers.MINUS}4"),
    ],
)  # fmt: skip
def test_a_number_is_written_in_one_way(value, digits, text):
    assert numbers.number(value, digits=digits) == text


@pytest.mark.parametrize(
    ("low", "high", "share", "text"),
    [
        (3.53e-6, 1.133e-4, True, "0.000353 to 0.01133%"), (0.0, 1.0, True, "0 to 100%"),
        (0.99996, 1.0, True, "99.996 to 100%"),
        (0.5401, 0.54069, False, "0.5401 to 0.5407"), (0.998631, 0.998639, False, "0.99863 to 0.99864"),
        (0.998631, 0.998634, False, "0.998631 to 0.998634"), (42.33, 42.33, False, "42.33 to 42.33"),
    ],
)  # fmt: skip
def test_the_ends_of_an_interval_can_be_told_apart(low, high, share, text):
    assert numbers.interval(low, high, share=share) == text


@pytest.mark.parametrize(
    ("draws", "text"), [(0, "0"), (999, "999"), (1000, "1k"), (12_000, "12k"), (1_230_000, "1.2M")]
)
def test_counts_fit_into_a_cell(draws, text):
    assert numbers.count(draws) == text
