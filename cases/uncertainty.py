"""What a model's answer says of its own certainty, in words for a reader."""

from cases.models import Prediction
from inference.calibration import LEVEL
from inference.familiarity import UNFAMILIAR

ONE_PER_CENT = 0.01
NEEDS_A_LOOK = "Needs a human look"


def prediction_set(prediction: Prediction) -> str:
    """Which classes the model cannot rule out."""
    level = f"at {(prediction.level or LEVEL) * 100:.0f} %"
    match prediction.prediction_set:
        case [] if prediction.abstained:
            return f"No class is likely enough to be named {level}."
        case []:
            return "This model version states no prediction set."
        case [only] if prediction.abstained:
            return f"{only} is the likeliest, yet the model does not stand by it."
        case [only]:
            return f"Only {only} remains {level}."
        case [one, other]:
            return f"The model cannot tell {one} from {other} {level}."
        case [*most, last]:
            return f"The model cannot tell {', '.join(most)} and {last} apart {level}."
    raise AssertionError(prediction.prediction_set)


def familiarity(prediction: Prediction) -> str:
    """How much the cell is like those that the network was shown."""
    share = prediction.familiarity
    if share is None:
        return "This model version does not say how familiar the cell is."
    if share < UNFAMILIAR:
        return (
            f"Unlike the cells that the network was shown: {_few(share)} of them lie farther out."
        )
    # never "than 100 % of them": the known cell that is most like the others is one of them
    return f"More like the known cells than {min(share * 100, 99):.0f} % of them are."


def agreement(prediction: Prediction) -> str:
    """How far the networks of an ensemble are apart; empty where one network answered."""
    apart = prediction.disagreement
    if apart is None:
        return ""
    return f"The model's networks differ by {apart * 100:.0f} % of the probability, on average."


def _few(share: float) -> str:
    if share == 0:
        return "none"
    return "fewer than 1 %" if share < ONE_PER_CENT else f"{share * 100:.0f} %"
