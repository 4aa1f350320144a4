"""Filters for the pages on which cells are read."""

from django import template

from cases import uncertainty
from cases.models import ABNORMAL_CLASSES

register = template.Library()
register.filter("set_in_words", uncertainty.prediction_set)
register.filter("familiarity_in_words", uncertainty.familiarity)
NEARLY_CERTAIN, NEARLY_IMPOSSIBLE = 0.995, 0.005  # what would be rounded to all or nothing


@register.filter
def is_abnormal(cell_class: str) -> bool:
    return cell_class in ABNORMAL_CLASSES


@register.filter
def percent(probability: float) -> str:
    """Like "93 %"; what is not certain is never shown as 100 %, nor what is possible as 0 %."""
    if NEARLY_CERTAIN <= probability < 1:
        return "> 99 %"
    if 0 < probability < NEARLY_IMPOSSIBLE:
        return "< 1 %"
    return f"{probability * 100:.0f} %"
