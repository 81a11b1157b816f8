"""A group of measures is its declaration and one module, and costs nothing where it is not asked for."""

import hashlib
import pickle
import sys
from typing import NamedTuple

import numba.core.config
import pytest
from lanes import compiled
from numba import float64

from fastlstm import measures
from fastlstm.kernel.lanes.jit import kernel
from fastlstm.kernel.lanes.registers import Fixed, filled, mapped, places
from fastlstm.kernel.lstm import Carry
from fastlstm.kernel.options import Options, group_modules, options


def followed(groups):
    """The groups with a function at each hook."""
    chosen = options(group_modules(groups))
    return {hook: functions.value._fields for hook, functions in chosen._asdict().items()}


@pytest.mark.parametrize("group", measures.GROUPS)
def test_every_declared_group_has_a_module_that_fills_its_columns(group):
    module = group_modules((group,))[group]
    assert hasattr(module, "columns") or hasattr(module, "add_back")


def test_groups_are_followed_only_where_they_are_asked_for():
    assert followed(("norms", "grads")) == dict.fromkeys(Options._fields, ())
    assert followed(("gates", "carousel"))["add"] == ("gates", "carousel")
    assert followed(("truncation", "lags"))["add_back"] == ("truncation", "lags")
    assert followed(("truncation", "lags"))["add"] == ()


def test_a_group_brings_those_whose_tallies_it_reads():
    assert followed(("jacobian",))["add"] == ("carousel", "jacobian")


def test_one_function_or_one_for_each_place_is_mapped_over_named_tuples():
    weigh = compiled(lambda a, b, weight: a + weight * b)
    double, negate = compiled(lambda a: 2.0 * a), compiled(lambda a: -a)
    each = Fixed(Carry(double, negate))

    @compiled
    def results(x):
        ones, numbers = filled(Carry, 1.0), places(Carry)
        return mapped(weigh, (ones, numbers), (x,)), mapped(each, (filled(Carry, x),), ())

    assert results(5.0) == (Carry(1.0, 6.0), Carry(10.0, -5.0))


class Gone(NamedTuple):
    """The class of an argument that later sources do not have."""

    number: float


def test_cached_kernels_of_older_sources_whose_classes_are_gone_are_compiled_again(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path))

    def build():
        @kernel(float64(float64), ("doubled",))
        def doubled(value):
            return value + value

        return doubled

    build()
    (index,) = tmp_path.rglob("*.nbi")
    content = pickle.dumps(Gone(1.0))
    monkeypatch.delattr(sys.modules[__name__], "Gone")
    with pytest.raises(AttributeError):
        pickle.loads(content)
    index.write_bytes(hashlib.sha256(content).digest() + content)
    assert build()(3.0) == 6.0
