"""A prediction's certainty in words."""

import pytest

from cases import uncertainty
from cases.models import Prediction

WHY = ["It is unlike the known cells."]
ONE, TWO, THREE = "Metaplastic", "Parabasal", "Koilocytotic"


@pytest.mark.parametrize(
    ("names", "reasons", "words"),
    [
        ([ONE], WHY, "Metaplastic is the likeliest, yet the model does not stand by it."),
        ([ONE], [], "Only Metaplastic remains at 99 %."),
        (
            [ONE, TWO],
            WHY,
            "The model cannot tell Metaplastic from Parabasal at 99 %.",
        ),
        (
            [ONE, TWO, THREE],
            WHY,
            ("The model cannot tell Metaplastic, Parabasal and Koilocytotic apart at 99 %."),
        ),
        ([], WHY, "No class is likely enough to be named at 99 %."),
        ([], [], "This model version states no prediction set."),
    ],
)
def test_a_set_is_said_in_words(names, reasons, words):
    prediction = Prediction(prediction_set=names, reasons=reasons)

    assert uncertainty.prediction_set(prediction) == words


@pytest.mark.parametrize(
    ("familiarity", "words"),
    [
        (0.62, "More like the known cells than 62 % of them are."),
        (0.05, "More like the known cells than 5 % of them are."),
        (1.0, "More like the known cells than 99 % of them are."),
        (
            0.04,
            "Unlike the cells that the network was shown: 4 % of them lie farther out.",
        ),
        (
            0.004,
            "Unlike the cells that the network was shown: fewer than 1 % of them lie farther out.",
        ),
        (0.0, "Unlike the cells that the network was shown: none of them lie farther out."),
        (None, "This model version does not say how familiar the cell is."),
    ],
)
def test_familiarity_is_said_in_words(familiarity, words):
    assert uncertainty.familiarity(Prediction(familiarity=familiarity)) == words


def test_the_level_is_the_one_the_set_was_made_with():
    made = Prediction(prediction_set=[ONE], reasons=[], level=0.95)

    assert uncertainty.prediction_set(made) == "Only Metaplastic remains at 95 %."


def test_an_ensemble_says_how_far_its_networks_are_apart_and_one_network_nothing():
    assert uncertainty.agreement(Prediction()) == ""
    assert uncertainty.agreement(Prediction(disagreement=0.125)) == (
        "The model's networks differ by 12 % of the probability, on average."
    )
