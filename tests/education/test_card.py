"""The model card as a page: the registered figures, or a sentence where there are none."""

import pytest
from django.urls import reverse

from inference.labels import CellClass
from tests import make

pytestmark = pytest.mark.django_db


def page(client):
    answer = client.get(reverse("model-card"))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_card_shows_what_is_registered_of_the_model_that_answers(client):
    version = make.model_version()
    figures = version.figures["out_of_fold"]

    shown = page(client)

    assert version.name in shown
    assert version.digest in shown
    assert f"{figures['cells']} cells" in shown
    assert f"{figures['macro_f1'] * 100:.1f} %" in shown
    for cell_class in CellClass:
        of = figures["per_class"][cell_class]
        assert f"{of['recall'] * 100:.1f} %" in shown
        assert cell_class in shown


def test_a_card_says_whether_its_figures_are_out_of_fold_or_of_a_test_part(client):
    version = make.model_version()
    out_of_fold = page(client)
    version.figures = {"test": version.figures["out_of_fold"]}
    version.save()
    of_a_part = page(client)

    assert "the model itself learnt from all" in out_of_fold
    assert "the model itself learnt from all" not in of_a_part
    assert "kept out of the training as a" in of_a_part


def test_a_card_follows_the_registered_figures(client):
    version = make.model_version()
    version.figures["out_of_fold"]["macro_f1"] = 0.1234
    version.save()

    assert "12.3 %" in page(client)


def test_without_a_model_the_page_says_so_and_keeps_the_limits(client):
    shown = page(client)

    assert "No measured model answers here yet." in shown
    assert "not for diagnosis" in shown


def test_a_model_without_figures_is_not_given_any(client):
    version = make.model_version()
    version.figures = {}
    version.save()

    assert "No measured model answers here yet." in page(client)
