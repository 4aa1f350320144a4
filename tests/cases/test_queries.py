"""What a reader is shown of a case, and in which order."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases import activation, queries, sight
from cases.models import Case, ClassificationFailure
from inference.labels import CellClass
from tests import make

Status = Case.Status

pytestmark = pytest.mark.django_db


def test_r24_the_gallery_begins_with_what_needs_a_look():
    case = make.case(Status.REVIEWING, images=0)
    run = case.runs.get()
    benign, abnormal, doubtful, unread = (make.image(case, place) for place in range(4))
    make.prediction(run, benign, CellClass.PARABASAL)
    make.prediction(run, abnormal, CellClass.KOILOCYTOTIC)
    make.prediction(run, doubtful, CellClass.PARABASAL)
    make.abstain(case, doubtful, abnormality=0.0)
    ClassificationFailure.objects.create(run=run, image=unread, reason="Damaged.")

    cells = queries.gallery(case, sight.WHOLE)

    assert [cell.image for cell in cells] == [unread, doubtful, abnormal, benign]


def test_the_arrays_of_an_answer_are_never_loaded_for_a_list():
    case = make.case(Status.REVIEWING, images=2)
    make.finding(case, case.images.first())

    with CaptureQueriesContext(connection) as asked:
        answers = [cell.prediction for cell in queries.gallery(case, sight.WHOLE)]
        compared = [finding.agrees for finding in queries.compared_findings(case)]

    assert all({"activation_maps", "features"} <= one.get_deferred_fields() for one in answers)
    assert compared == [True]
    assert not any("features" in query["sql"] for query in asked)


def test_an_overlay_is_scaled_to_the_cells_of_the_case_that_the_model_stands_by():
    case = make.case(Status.AWAITING_REVIEW, images=3)
    faint, strong, blank = case.images.all()
    for image, strongest in ((strong, 8.0), (blank, 64.0)):
        maps = make.activation_maps(CellClass.METAPLASTIC, strongest)
        image.predictions.update(activation_maps=activation.pack_maps(maps))
    make.abstain(case, blank)

    overlay = queries.activation_of(case, faint, sight.WHOLE)

    told = overlay.to_json()
    assert told["strongest"] == 8.0
    assert list(told["maps"]) == [cell_class.value for cell_class in CellClass]
    assert told["maps"]["Parabasal"][2][4] == 2.0
    assert told["maps"]["Parabasal"][0][0] == -0.25
    assert queries.activation_of(case, blank, sight.WHOLE).strongest == 64.0, (
        "it is not above its own scale"
    )


def test_without_a_kept_map_there_is_no_overlay():
    case = make.case(Status.AWAITING_REVIEW, images=1)
    image = case.images.get()
    image.predictions.update(activation_maps=None)

    assert queries.activation_of(case, image, sight.WHOLE) is None
    assert queries.activation_of(case, make.image(case, 9), sight.WHOLE) is None
