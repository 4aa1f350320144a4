"""The words of `cases.wording` as template filters."""

from django import template

from cases import bethesda, wording

register = template.Library()
register.filter("due_in_words", wording.due)
register.filter("in_codes", bethesda.in_codes)
register.filter("attempt_in_words", wording.attempt)
register.filter("held_in_words", wording.held)
register.filter("result_in_words", wording.result)
register.filter("since_in_words", wording.since)
