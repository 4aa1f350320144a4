"""Which classes are abnormal, as pages ask it."""

from cases.templatetags import reading


def test_two_classes_are_abnormal_and_what_is_no_class_is_not():
    classes = ["Dyskeratotic", "Koilocytotic", "Metaplastic", "no class"]

    assert [reading.is_abnormal(cell_class) for cell_class in classes] == [True, True, False, False]
