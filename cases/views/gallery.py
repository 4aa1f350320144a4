"""The reading room: the gallery of a case, and one cell of it large, as one page of two views."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.models import User
from cases import arrangement, audit, charts, keys, queries, reading, sight, similar, tiles
from cases.arrangement import Layout
from cases.models import Case, CellImage, ReaderPreferences
from cases.queries import Cell
from cases.sight import Sight
from cases.views.found import find_case, following, frame, reader
from inference import registry
from inference.labels import CellClass
from inference.models import ModelVersion

PAGE = 48  # tiles of a page without scripts; with them all are there
AHEAD = 24  # pictures of the next case that are fetched ahead


def gallery(request: HttpRequest, case: Case, around: Mapping[str, object]) -> HttpResponse:
    """Every cell as a tile, as the reader has laid them out, and what stands above them."""
    context = frame(request, case)
    own = ReaderPreferences.of(reader(request))
    cells, layout = _laid_out(case, context["seen"], own)
    if "all" in request.GET:
        layout = layout.unfiltered()
    shown = layout.arrange(cells)
    user = reader(request)
    has_read = _has_read(user, case, context["may"])
    page = Paginator(shown, PAGE).get_page(request.GET.get("page"))
    context |= _room(context, cells, shown, layout) | _keys(own)
    context |= {
        "cell": (shown or cells)[0],
        "has_read": has_read,
        "after": following(user, case) if has_read else None,
        "page": page,
        "first_place": page.start_index(),
        "earlier": queries.other_cases(case),
        "newer_model": _newer_model(case) if "reclassify" in context["may"] else None,
    }
    return render(request, "cases/gallery.html", context | dict(around))


@require_safe
@login_required
def cell(request: HttpRequest, case_id: UUID, image_id: UUID) -> HttpResponse:
    """One cell, large, and the way to its neighbours; `?part=details` is what stands beside it."""
    case = find_case(request, case_id)
    image = get_object_or_404(CellImage, case=case, pk=image_id)
    if request.GET.get("part") == "details":
        audit.viewed(case, reader(request))
        seen = sight.of(reader(request), case)
        asked = queries.cell(case, image, seen)
        return render(request, "cases/_details.html", _details(case, asked, seen))
    context = frame(request, case)
    own = ReaderPreferences.of(reader(request))
    cells, layout = _laid_out(case, context["seen"], own)
    shown = layout.arrange(cells)
    if image not in (one.image for one in shown):  # it was asked for by name, filter or not
        layout = layout.unfiltered()
        shown = layout.arrange(cells)
    place = [one.image for one in shown].index(image)
    context |= _room(context, cells, shown, layout) | _keys(own)
    context |= _details(case, shown[place], context["seen"])
    context |= {
        "here": "cell",
        "large": True,
        "place": place + 1,
        "previous": shown[place - 1] if place else None,
        "next": shown[place + 1] if place + 1 < len(shown) else None,
        "next_undecided": reading.next_undecided(shown, place),
    }
    return render(request, "cases/gallery.html", context)


def _has_read(user: User, case: Case, verbs: set[str]) -> bool:
    """Whether this person has read the case, and it went on to others since."""
    is_with_others = case.status != Case.Status.SIGNED and not {"decide", "claim"} & verbs
    return is_with_others and case.reviews.filter(reader=user, committed_at__isnull=False).exists()


def _laid_out(case: Case, seen: Sight, own: ReaderPreferences) -> tuple[list[Cell], Layout]:
    """The cells as this reader may see them, and how they want them laid out."""
    return queries.gallery(case, seen), Layout.of(own.layout, with_model=seen.model)


def _room(
    context: Mapping[str, Any], cells: list[Cell], shown: list[Cell], layout: Layout
) -> dict[str, object]:
    """What both views of the page show, and what its scripts know; ``context`` is the frame's."""
    seen: Sight = context["seen"]
    ids = {one.image.pk for one in shown}
    hidden = [one for one in cells if one.image.pk not in ids]
    return {
        "cells": shown,
        "reads": queries.shown_reads(context["case"], seen),
        "hidden": hidden,
        "rows": tiles.rows(shown, hidden, with_model=seen.model),
        "tally": reading.tally(cells),
        "abstained": reading.abstained(cells),
        "layout": layout,
        "sorts": arrangement.choices(arrangement.SORTS, with_model=seen.model),
        "flags": arrangement.choices(arrangement.FLAGS, with_model=seen.model),
        "sizes": arrangement.SIZES,
        "cell_classes": list(CellClass),
        "exclusions": reading.EXCLUSIONS,
        "no_image": UUID(int=0),  # stands in addresses where the scripts put an image's id
    }


def _keys(own: ReaderPreferences) -> dict[str, object]:
    acts = keys.acts(own.keys)
    return {
        "acts": acts,
        "key": {act.name.replace("-", "_"): keys.shown(act.key) for act in acts},
        "keymap": {act.key: act.name for act in acts},
    }


def _details(case: Case, shown: Cell, seen: Sight) -> dict[str, object]:
    """What the model said of a cell, with its numbers, its maps and its class."""
    answer = shown.prediction
    probabilities = list(zip(CellClass, answer.probabilities, strict=True)) if answer else []
    overlay = queries.activation_of(case, shown.image, seen)
    return {
        "case": case,
        "cell": shown,
        "seen": seen,
        "probabilities": probabilities,
        "overlay": overlay,
        "overlay_data": overlay and overlay.to_json(),
        "figure": charts.probability_figure(probabilities),
    }


@require_safe
@login_required
def cell_similar(request: HttpRequest, case_id: UUID, image_id: UUID) -> HttpResponse:
    """The cells most like this one that pathologists of the laboratory have signed."""
    case = find_case(request, case_id)
    image = get_object_or_404(CellImage, case=case, pk=image_id)
    audit.viewed(case, reader(request))
    found = similar.most_similar(case, image, sight.of(reader(request), case))
    return render(request, "cases/_similar.html", {"similar": found})


@require_safe
@login_required
def case_ahead(request: HttpRequest, case_id: UUID) -> JsonResponse:
    """The case to read after this one, and its first pictures, to be fetched ahead."""
    case = find_case(request, case_id)
    user = reader(request)
    after = following(user, case)
    if after is None:
        return JsonResponse({"case": None, "pictures": []})
    cells, layout = _laid_out(after, sight.of(user, after), ReaderPreferences.of(user))
    first = layout.arrange(cells)[:AHEAD]
    pictures = [reverse("thumbnail", args=[after.pk, one.image.pk]) for one in first]
    return JsonResponse({"case": reverse("case-detail", args=[after.pk]), "pictures": pictures})


def _newer_model(case: Case) -> ModelVersion | None:
    """The model version that answers now, where it has not answered this case."""
    try:
        current = queries.answering_model(case.laboratory)
    except registry.NoCurrentModel:
        return None
    return current if queries.is_outdated(case, current) else None
