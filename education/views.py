"""Public pages: the table of contents, a lesson, and its short form for showing beside a cell."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from education import card, lessons
from education.lessons import Lesson


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    context = {"section": "education", "sections": lessons.sections()}
    return render(request, "education/index.html", context)


@require_safe
def lesson(request: HttpRequest, slug: str) -> HttpResponse:
    found = _lesson_or_404(slug)
    previous, following = lessons.neighbours(found)
    context = {
        "section": "education",
        "lesson": found,
        "sections": lessons.sections(),
        "previous": previous,
        "following": following,
    }
    return render(request, "education/lesson.html", context)


@require_safe
def model_card(request: HttpRequest) -> HttpResponse:
    context = {"section": "education", "card": card.current()}
    return render(request, "education/model.html", context)


@require_safe
@cache_control(public=True, max_age=3600)
@conditional_page
def lesson_summary(request: HttpRequest, slug: str) -> HttpResponse:
    """The short form of a lesson: the same for everyone, so it may be kept for an hour."""
    context = {"lesson": _lesson_or_404(slug)}
    return render(request, "education/_cell_reference.html", context)


def _lesson_or_404(slug: str) -> Lesson:
    try:
        return lessons.lessons()[slug]
    except KeyError:
        raise Http404(f"No lesson is called {slug}") from None
