"""A replay gives the row of its draw to the bit, with trace and gradients that are the twin's."""

import numpy as np
import pytest
import specs
from specs import changed
from twins import assert_replay_is_the_row

import fastlstm
from fastlstm import replay
from fastlstm.measures import selected
from fastlstm.oracles.naive import NAMES


@pytest.fixture(scope="module")
def rowless(tmp_path_factory):
    """The same run, of which no rows are kept."""
    spec = changed(specs.WHOLE, store={"rows": "none"})
    return fastlstm.run(spec, tmp_path_factory.mktemp("runs") / "rowless")


def test_replay_of_a_run_or_of_its_spec_is_the_row_to_the_bit(whole, whole_rows, rowless, tmp_path):
    file = tmp_path / "spec.toml"
    file.write_text(fastlstm.load(specs.WHOLE).normalised())
    rows = whole_rows.set_index(["point", "draw"])
    for source in (whole.path, str(whole.path), rowless.path, specs.WHOLE, file, fastlstm.load(specs.WHOLE)):
        for point, draw in ((0, 0), (1, 7), (2, 1023), (3, 1499)):
            replayed = replay(source, point=point, draw=draw)
            assert set(replayed.drawn.measures) > {measure.name for measure in selected([*specs.GROUPS, "window"], 2)}
            assert_replay_is_the_row(replayed, rows.loc[(point, draw)])


def test_replay_has_the_trace_and_the_gradients_of_the_twin(twins):
    for twin in twins:
        for place, replayed in enumerate(twin.replays):
            spec, trace, grads = replayed
            assert spec.hash == fastlstm.load(specs.WHOLE).hash
            for name in ("f", "i", "o", "g", "C", "h", "y"):
                true = getattr(twin.trace, name)[place]
                np.testing.assert_allclose(getattr(trace, name)[0], true.astype(float), rtol=1e-9, atol=1e-10)
            for name in ("params", "x", "h0", "C0"):
                true = np.atleast_1d(getattr(twin.full, name)[place])
                assert np.abs(getattr(grads, name)[0] - true).max() <= 1e-9 * np.abs(true).max()


@pytest.mark.parametrize(("point", "draw"), [(4, 0), (-1, 0), (0, 1500), (0, -1)])
def test_replay_of_no_such_draw_says_which_there_are(point, draw):
    with pytest.raises(ValueError, match=r"0 \.\. (3|1499)"):
        replay(specs.WHOLE, point=point, draw=draw)


STRAINED = {
    "seed": 3, "draws": 64, "steps": 12, "dtype": "float32",
    "params": {"default": {"normal": {"std": 8.0}}}, "loss": {"kind": "last"},
    "measure": {"groups": ["norms", "grads"]},
}  # fmt: skip


def test_a_strained_float32_draw_has_one_row_replay_and_gradients():
    rows, dy = fastlstm.simulate(STRAINED), np.eye(12)[-1]
    replays = [replay(STRAINED, point=0, draw=draw) for draw in range(64)]
    assert 8 < sum(replayed.drawn.strained for replayed in replays) < 64
    for (_, row), replayed in zip(rows.iterrows(), replays, strict=True):
        drawn = replayed.drawn
        alone = fastlstm.gradients(drawn.params, drawn.x, dy.astype(np.float32), h0=drawn.h0, C0=drawn.C0)
        for name in NAMES:  # replayed.grads are those of steps=True
            assert np.float32(row[f"d{name}"]) == replayed.grads[name][0] == alone[name][0], name
        np.testing.assert_array_equal(replayed.grads.x, alone.x)
        if drawn.strained:
            twice = [values.astype(np.float64) for values in (drawn.params, drawn.x)]
            exact = fastlstm.forward(*twice, h0=drawn.h0, C0=drawn.C0)
            np.testing.assert_array_equal(replayed.trace.C, exact.C.astype(np.float32))
