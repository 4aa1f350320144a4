"""A probability in words never claims a certainty that it has not."""

import pytest

from cases.templatetags import reading


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, "100 %"),
        (0.9999, "> 99 %"),
        (0.994, "99 %"),
        (0.5, "50 %"),
        (0.006, "1 %"),
        (0.004, "< 1 %"),
        (0.0, "0 %"),
    ],
)
def test_a_percentage_is_not_rounded_to_all_or_nothing(probability, words):
    assert reading.percent(probability) == words


def test_two_classes_are_abnormal_and_what_is_no_class_is_not():
    classes = ["Dyskeratotic", "Koilocytotic", "Metaplastic", "no class"]

    assert [reading.is_abnormal(cell_class) for cell_class in classes] == [True, True, False, False]
