"""How far features lie from the known ones, on a made-up flat; and its file."""

import numpy as np
import pytest

from inference import familiarity, weights
from inference.familiarity import UNFAMILIAR, Familiarity
from inference.weights import WrongWeights


def features(seed, count, *, flat=True):
    """Pictures near a flat of 8 dimensions among 100, or anywhere."""
    chance = np.random.default_rng([seed, flat])
    axes = np.random.default_rng(0).normal(0, 1, (8, 100))
    near = chance.normal(0, 1, (count, 8)) @ axes + 5
    anywhere = chance.normal(0, 3, (count, 100)) + 5
    noise = chance.normal(0, 0.3, (count, 100))
    return ((near if flat else anywhere) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def known():
    return Familiarity.fit(features(1, 500), features(2, 2000), directions=8)


def test_of_known_cells_one_in_twenty_is_called_unfamiliar(known):
    shares = np.array(known.shares(features(3, 1000)))

    assert (shares < UNFAMILIAR).mean() == pytest.approx(0.05, abs=0.025)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


def test_distances_of_other_networks_are_laid_beside_each_other():
    strong = familiarity.relative(features(1, 500), features(2, 400), directions=8)
    axes = np.linalg.qr(np.random.default_rng(9).normal(0, 1, (100, 100)))[0].astype(np.float32)
    turned = familiarity.relative(
        7 * features(1, 500) @ axes, 7 * features(2, 400) @ axes, directions=8
    )

    assert turned == pytest.approx(strong, rel=0.01)


def unseen(seed, count):
    """Cells that no network learnt from: they lie a little farther from the flat."""
    more = np.random.default_rng([seed, 99]).normal(0, 0.25, (count, 100))
    return features(seed, count) + more.astype(np.float32)


def test_a_network_that_learnt_from_all_keeps_nineteen_in_twenty_of_others_cells():
    training, coming = features(1, 500), unseen(3, 4000)
    others = familiarity.relative(features(7, 400), unseen(8, 2000), directions=8)

    known = Familiarity.fit_relative(training, others, directions=8)
    naive = Familiarity.fit(training, training, directions=8)

    assert np.median(others) > 1.1
    assert (np.array(known.shares(coming)) < UNFAMILIAR).mean() == pytest.approx(0.05, abs=0.02)
    assert (np.array(naive.shares(coming)) < UNFAMILIAR).mean() > 0.08
    assert known.shares(training) == Familiarity.parsed(known.written()).shares(training)


def test_what_lies_off_the_flat_is_farther_than_every_known_cell(known):
    assert max(known.shares(features(4, 100, flat=False))) == 0


def test_how_strong_the_features_are_plays_no_part(known):
    some = features(5, 10)

    assert known.measured(3 * some) == pytest.approx(known.measured(some), abs=1e-5)


def test_features_that_are_all_zero_are_answered(known):
    [share] = known.shares(np.zeros((1, 100), dtype=np.float32))

    assert share == 0


def test_a_share_counts_the_cells_that_lie_as_far_or_farther():
    flat = Familiarity(
        np.zeros(2, dtype=np.float32),
        np.array([[1.0], [0.0]], dtype=np.float32),
        np.array([0.0, 0.6, 0.8, 1.0], dtype=np.float32),
    )

    shares = flat.shares(np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32))

    assert shares == [1.0, 0.75, 0.25]


def test_a_file_answers_as_what_was_written(known, tmp_path):
    content = known.written()
    (tmp_path / "familiarity.npz").write_bytes(content)

    again = familiarity.read(tmp_path / "familiarity.npz", weights.digest(content), width=100)

    some = features(6, 50)
    assert again.shares(some) == known.shares(some)
    assert known.written() == content


def broken(known):
    pickled = np.array([{"a": 1}], dtype=object)
    sound = {"mean": known.mean, "directions": known.directions, "distances": known.distances}
    yield b"no arrays at all"
    yield known.written()[:-200]
    for change in (
        {"distances": pickled},
        {"distances": np.zeros(0)},
        {"mean": known.mean[:-1]},
        {"mean": known.mean * np.nan},
    ):
        yield sound | change


@pytest.mark.parametrize("place", range(6))
def test_a_file_of_something_else_is_refused_though_its_digest_is_right(known, tmp_path, place):
    wrong, path = list(broken(known))[place], tmp_path / "familiarity.npz"
    if isinstance(wrong, bytes):
        path.write_bytes(wrong)
    else:
        np.savez(path, allow_pickle=True, **wrong)

    with pytest.raises(WrongWeights, match="does not say which cells are familiar"):
        familiarity.read(path, weights.digest(path.read_bytes()))


def test_another_models_file_is_refused(known, tmp_path):
    (tmp_path / "familiarity.npz").write_bytes(known.written())

    with pytest.raises(WrongWeights, match="not the file this model was made of"):
        familiarity.read(tmp_path / "familiarity.npz", "0" * 64)


def test_a_file_of_a_network_with_other_features_is_refused(known, tmp_path):
    path = tmp_path / "familiarity.npz"
    path.write_bytes(known.written())

    with pytest.raises(WrongWeights, match="a network with 100 features"):
        familiarity.read(path, weights.digest(path.read_bytes()))
