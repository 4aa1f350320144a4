"""Which confirmed cells are shown beside another: the nearest, signed, of the same laboratory."""

import numpy as np
import pytest
from django.urls import reverse

from cases import activation, sight, similar
from cases.models import Case, Prediction
from inference.labels import CellClass
from tests import make

Status = Case.Status

pytestmark = pytest.mark.django_db


def features(angle):
    """Features at this angle, in degrees, from the first axis."""
    made = np.zeros(activation.FEATURES, np.float32)
    made[0], made[1] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return activation.pack_features(made)


def saw(case, angle, found=None, **fields):
    """A cell of the case that the model saw so, and what the reader found."""
    image = make.image(case, case.images.count() + int(angle) + 7)
    predicted = make.prediction(case.runs.get(), image, CellClass.PARABASAL)
    Prediction.objects.filter(pk=predicted.pk).update(features=features(angle))
    if found or fields:
        made = make.finding(case, image, found, **fields)
        made.review.ended_at = case.signed_at
        made.review.save()
    return image


def signed(laboratory):
    reader = make.pathologist(laboratory=laboratory)
    return make.case(Status.SIGNED, reviewer=reader)


@pytest.fixture
def asked():
    """A case in review with one cell, at no angle."""
    case = make.case(Status.REVIEWING)
    return case, saw(case, 0)


def test_the_nearest_signed_cells_come_first_with_the_class_of_their_pathologist(asked):
    case, image = asked
    known = signed(case.laboratory)
    far, near = saw(known, 60, "Koilocytotic"), saw(known, 10, "Metaplastic")

    found = similar.most_similar(case, image, sight.WHOLE)

    assert [one.finding.image for one in found] == [near, far]
    assert [one.finding.cell_class for one in found] == ["Metaplastic", "Koilocytotic"]
    assert [one.likeness for one in found] == pytest.approx([0.985, 0.5], abs=0.01)


def test_no_cell_of_another_laboratory_or_an_unsigned_case_or_that_was_excluded_is_shown(asked):
    case, image = asked
    saw(signed(make.laboratory()), 1, "Parabasal")
    reviewing = make.case(Status.REVIEWING, reviewer=make.pathologist(laboratory=case.laboratory))
    saw(reviewing, 2, "Parabasal")
    saw(signed(case.laboratory), 3, exclusion="No cell")

    assert similar.most_similar(case, image, sight.WHOLE) == []


def test_who_may_not_see_the_model_sees_nothing_that_it_found_alike(asked):
    case, image = asked
    saw(signed(case.laboratory), 5, "Parabasal")

    assert similar.most_similar(case, image, sight.Sight(1, model=False, reads=True)) == []


def test_no_more_than_a_few_are_shown_each_with_the_way_to_its_case(asked, client):
    case, image = asked
    known = signed(case.laboratory)
    for angle in range(1, 9):
        saw(known, angle, "Parabasal")
    client.force_login(case.reviewer)

    answer = client.get(reverse("cell-similar", args=[case.pk, image.pk]))

    assert answer.text.count("<li>") == similar.MOST
    assert answer.text.count(known.accession_number) == similar.MOST
