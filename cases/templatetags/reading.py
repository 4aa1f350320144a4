"""Filters for the pages on which cells are read."""

from collections.abc import Sequence

from django import template

from cases import keys, uncertainty, wording
from cases.models import ABNORMAL_CLASSES

register = template.Library()
register.filter("percent", wording.percent)
register.filter("set_in_words", uncertainty.prediction_set)
register.filter("familiarity_in_words", uncertainty.familiarity)
register.filter("agreement_in_words", uncertainty.agreement)


register.filter("key_shown", keys.shown)


@register.filter
def at(things: Sequence[object], place: int) -> object:
    """The thing at this place of a list."""
    return things[place]


@register.filter
def is_abnormal(cell_class: str) -> bool:
    return cell_class in ABNORMAL_CLASSES
